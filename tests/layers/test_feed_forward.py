"""The feed-forward layer against its equations; norms against theirs."""

import math

import pytest
import torch

from zoo.kernels import normalise
from zoo.layers.feed_forward import FeedForward
from zoo.layers.norm import make_norm

BEND = {
    "relu": lambda h: h.clamp(min=0),
    "relu2": lambda h: h.clamp(min=0) ** 2,
    "gelu": lambda h: h * 0.5 * (1 + torch.erf(h / math.sqrt(2))),
    "gelu_tanh": lambda h: (
        h * 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))
    ),
}


@pytest.mark.parametrize("name", [*BEND, "swiglu"])
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
        h = BEND[name](h)
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


@pytest.mark.parametrize("name", ["layer", "rms"])
def test_norms(name):
    x = 3 + 5 * torch.randn(4, 7, dtype=torch.float64)
    centred = x - x.mean(-1, keepdim=True) if name == "layer" else x
    plain = centred / centred.square().mean(-1, keepdim=True).sqrt()
    torch.testing.assert_close(normalise(name, x), plain, rtol=1e-5, atol=1e-5)
    layer = make_norm(name, 7, eps=1e-12).double()
    layer.weight.data.uniform_(1, 2)
    shift = 0.0
    if name == "layer":
        layer.bias.data.uniform_(1, 2)
        shift = layer.bias
    torch.testing.assert_close(layer(x), plain * layer.weight + shift)
    assert getattr(make_norm(name, 7, bias=False), "bias", None) is None
