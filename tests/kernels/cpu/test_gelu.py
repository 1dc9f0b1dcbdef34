"""GELU on CPUs: far from zero, and which arguments take the implementation."""

import pytest
import torch

from zoo.kernels import gelu_tanh
from zoo.kernels.cpu.gelu import MIN_NUMEL, gelu_tanh_saving_derivative
from zoo.layers.feed_forward import FeedForward


def test_far_from_zero_it_is_zero_or_its_argument():
    x = torch.tensor([-1e6, -30.0, -0.0, 30.0, 1e6], requires_grad=True)
    y = gelu_tanh_saving_derivative(x)
    assert y.tolist() == [0, 0, 0, 30, 1e6]
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize("name", ["fp32", "bf16", "eval", "small", "double", "erf"])
def test_large_arguments_in_training_take_it(name, monkeypatch):
    monkeypatch.setattr(gelu_tanh, "used", set())
    layer = FeedForward(8, "gelu" if name == "erf" else "gelu_tanh", inner=2**10)
    x = torch.randn(MIN_NUMEL // 2**10 - (name == "small"), 8)
    if name == "double":
        layer, x = layer.double(), x.double()
    with torch.set_grad_enabled(name != "eval"), torch.autocast("cpu", enabled=name == "bf16"):
        y = layer(x)
    if name in ("fp32", "bf16"):
        assert gelu_tanh.used == {"gelu_tanh_saving_derivative"}
    else:
        assert gelu_tanh.used == (set() if name == "erf" else {"reference"})
    if name == "fp32":
        (actual,) = torch.autograd.grad(y.square().sum(), layer.up.weight)
        layer, x = layer.double(), x.double()
        (expected,) = torch.autograd.grad(layer(x).square().sum(), layer.up.weight)
        torch.testing.assert_close(actual.double(), expected, rtol=1e-4, atol=1e-4)
