"""Norms against their equations."""

import pytest
import torch

from zoo.kernels import normalise
from zoo.layers.norm import make_norm


@pytest.mark.parametrize("name", ["layer", "rms"])
def test_equals_its_equation(name):
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


def test_parameters():
    names = [
        {parameter for parameter, _ in make_norm(name, 7, bias).named_parameters()}
        for name, bias in (("layer", True), ("layer", False), ("rms", True))
    ]
    assert names == [{"weight", "bias"}, {"weight"}, {"weight"}]
