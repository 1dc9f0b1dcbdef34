"""GELU with its derivative, against torch's own in float64."""

import pytest
import torch
import torch.nn.functional as F

from zoo.layers import gelu
from zoo.layers.feed_forward import FeedForward


@pytest.fixture
def by_hand(monkeypatch):
    """Also of few numbers."""
    monkeypatch.setattr(gelu, "LARGE", 1)


def exact(x, outer):
    """torch's result and gradient, in float64."""
    x = x.detach().double().requires_grad_()
    y = F.gelu(x, approximate="tanh")
    return y, torch.autograd.grad(y, x, outer.double())[0]


@pytest.mark.parametrize("shape", [(1,), (7, 3), (2, 5, 6), (3, 2**18)])
@pytest.mark.parametrize("form, error", [(torch.float32, 1e-6), (torch.bfloat16, 2**-8)])
def test_result_and_gradient(shape, form, error, by_hand, monkeypatch):
    monkeypatch.setattr(gelu, "PART", 2**18 - 5)  # the last of several is smaller
    torch.manual_seed(0)
    x = (3 * torch.randn(shape)).to(form).requires_grad_()
    outer = torch.randn(shape).to(form)
    y = gelu.gelu_tanh(x)
    (given,) = torch.autograd.grad(y, x, outer)
    assert y.dtype == given.dtype == form
    for ours, theirs in zip((y, given), exact(x, outer)):
        torch.testing.assert_close(ours.double(), theirs, rtol=4 * error, atol=error)


def test_far_from_zero_it_is_zero_or_what_came_in(by_hand):
    x = torch.tensor([-1e6, -30.0, -0.0, 30.0, 1e6], requires_grad=True)
    y = gelu.gelu_tanh(x)
    assert y.tolist() == [0, 0, 0, 30, 1e6]
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [0, 0, 0.5, 1, 1]


def test_of_a_transposed_matrix_and_an_expanded_gradient(by_hand):
    base = torch.randn(6, 4)
    x = base.mT.requires_grad_()
    (found,) = torch.autograd.grad(gelu.gelu_tanh(x).sum(), x)
    _, expected = exact(x, torch.ones(4, 6))
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["fp32", "bf16", "eval", "small", "double", "erf"])
def test_where_it_takes_torchs_place(name, monkeypatch):
    calls, plain = [], gelu._Gelu.apply

    def counted(x):
        calls.append(x)
        return plain(x)

    monkeypatch.setattr(gelu._Gelu, "apply", counted)
    layer = FeedForward(8, "gelu" if name == "erf" else "gelu_tanh", inner=2**10)
    x = torch.randn(2**10 - (name == "small"), 8)
    if name == "double":
        layer, x = layer.double(), x.double()
    with torch.set_grad_enabled(name != "eval"), torch.autocast("cpu", enabled=name == "bf16"):
        y = layer(x)
    assert len(calls) == (name in ("fp32", "bf16"))
    if name == "fp32":
        (found,) = torch.autograd.grad(y.square().sum(), layer.up.weight)
        layer, x = layer.double(), x.double()
        (expected,) = torch.autograd.grad(layer(x).square().sum(), layer.up.weight)
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)
