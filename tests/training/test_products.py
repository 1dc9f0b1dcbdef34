"""The count of matrix products, against arithmetic by hand."""

import pytest
import torch
from torch import nn

from zoo.kernels import functional
from zoo.training.products import ProductCounter, Products


def counted(work):
    counter = ProductCounter()
    with counter:
        work()
    return counter.products


def test_a_linear_layer_and_what_follows():
    layer, x = nn.Linear(5, 7), torch.randn(3, 5)
    products = counted(lambda: torch.relu(layer(x)).view(21))
    assert products == Products(count=1, flops=2 * 3 * 5 * 7, numbers=21 + 21)
    assert products.size == 210 and products.share == 5.0


@pytest.mark.parametrize("grad", [True, False])
def test_of_every_kernel_that_computes_it(grad):
    """Large enough that some processors take oneDNN's, which torch does not count."""
    x, weight = torch.randn(512, 512), torch.randn(512, 512, requires_grad=True)
    with torch.set_grad_enabled(grad):
        products = counted(lambda: functional.linear(x, weight))
    assert (products.count, products.flops) == (1, 2 * 512**3)


def test_convolution_attention_and_recurrence():
    convolution, image = nn.Conv2d(3, 4, 3, padding=1), torch.randn(2, 3, 6, 6)
    products = counted(lambda: convolution(image))
    assert (products.count, products.flops) == (1, 2 * 2 * 36 * 4 * 27)
    q = torch.randn(2, 3, 8, 4)
    attention = nn.functional.scaled_dot_product_attention
    assert counted(lambda: attention(q, q, q)).flops == 2 * 2 * (2 * 3 * 8 * 8 * 4)
    lstm, steps = nn.LSTM(5, 6), torch.randn(7, 2, 5)
    assert counted(lambda: lstm(steps)).flops == 2 * 7 * 2 * 4 * 6 * (5 + 6)


def test_nothing_is_nothing():
    assert counted(lambda: torch.arange(5)) == Products() and Products().size == 0
