"""The references, against the formulas of the papers."""

import math

import pytest
import torch
from torch import nn

from zoo.kernels import IGNORE_INDEX, cross_entropy, gelu_tanh, linear_cross_entropy
from zoo.kernels.functional import normalise

TARGET = torch.tensor([2, IGNORE_INDEX, 0])


def numbers(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_sums_over_the_targets_that_count(smoothing):
    logits = numbers(3, 5)
    expected = 0.0
    for row, label in ((0, 2), (2, 0)):
        log_p = logits[row].log_softmax(0)
        expected -= (1 - smoothing) * log_p[label] + smoothing * log_p.mean()
    torch.testing.assert_close(cross_entropy.reference(logits, TARGET, smoothing), expected)


def test_cross_entropy_of_low_precision_is_float32():
    loss = cross_entropy.reference(numbers(3, 5).bfloat16(), TARGET)
    assert loss.dtype == torch.float32


def test_linear_cross_entropy_is_that_of_the_heads_logits():
    x, head = numbers(3, 4), nn.Linear(4, 5).double()
    expected = cross_entropy.reference(head(x), TARGET)
    torch.testing.assert_close(linear_cross_entropy.reference(x, head, TARGET), expected)


def test_gelu_is_the_tanh_approximation():
    x = numbers(100) * 3
    expected = 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    torch.testing.assert_close(gelu_tanh.reference(x), expected)


@pytest.mark.parametrize("name", ["layer", "rms"])
def test_normalised_vectors_keep_their_dtype_under_autocast(name):
    x = numbers(4, 64)
    y = normalise(name, x)
    torch.testing.assert_close(y.square().mean(-1), torch.ones(4, dtype=x.dtype), rtol=1e-3, atol=0)
    assert (y.mean(-1).abs().max() < 1e-9) == (name == "layer")
    with torch.autocast("cpu", torch.bfloat16):
        assert normalise(name, x.bfloat16()).dtype == torch.bfloat16
