"""The feed-forward layer against its equations."""

import math

import pytest
import torch

from zoo.layers.feed_forward import FeedForward

NON_LINEARITIES = {
    "relu": lambda h: h.clamp(min=0),
    "relu2": lambda h: h.clamp(min=0) ** 2,
    "gelu": lambda h: h * 0.5 * (1 + torch.erf(h / math.sqrt(2))),
    "gelu_tanh": lambda h: (
        h * 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))
    ),
}


@pytest.mark.parametrize("name", [*NON_LINEARITIES, "swiglu"])
@pytest.mark.parametrize("bias", [True, False])
def test_equals_its_equations(name, bias):
    torch.manual_seed(0)
    layer = FeedForward(6, name, bias=bias).double()
    x = torch.randn(2, 3, 6, dtype=torch.float64)
    h = x @ layer.up.weight.T + (layer.up.bias if bias else 0)
    if name == "swiglu":
        value, gate = h[..., :16], h[..., 16:]
        h = value * gate / (1 + torch.exp(-gate))
    else:
        h = NON_LINEARITIES[name](h)
    torch.testing.assert_close(layer(x), h @ layer.down.weight.T + (layer.down.bias if bias else 0))


@pytest.mark.parametrize("width", [6, 96, 384])
def test_a_gated_layer_has_about_as_many_parameters(width):
    gated, plain = (
        sum(p.numel() for p in FeedForward(width, name, bias=False).parameters())
        for name in ("swiglu", "gelu")
    )
    assert plain == 8 * width**2
    assert 0 <= gated - plain <= 3 * 8 * width  # inner is rounded up to a multiple of 8
    assert FeedForward(width, "gelu", inner=10).up.out_features == 10
    assert FeedForward(width, "swiglu", inner=10).down.in_features == 10
