"""Linear layers side by side: each row by its own; in mixed precision too."""

import torch

from zoo.kernels import grouped_linear
from zoo.kernels.cuda.grouped import linear_by_grouped_product


def arguments():
    torch.manual_seed(0)
    return torch.randn(9, 16), torch.randn(4, 8, 16), torch.tensor([3, 0, 5, 1])


def test_each_row_meets_its_own_layer():
    x, weight, counts = arguments()
    owners = [0, 0, 0, 2, 2, 2, 2, 2, 3]
    expected = torch.stack([weight[e] @ row for e, row in zip(owners, x, strict=True)])
    torch.testing.assert_close(grouped_linear(x, weight, counts), expected)


def test_mixed_precision_gives_what_linear_layers_give():
    x, weight, counts = arguments()
    with torch.autocast("cpu", torch.bfloat16):
        expected = grouped_linear.reference(x, weight, counts)
        actual = linear_by_grouped_product(x, weight, counts)
    assert expected.dtype == actual.dtype == torch.bfloat16
    torch.testing.assert_close(actual, expected, rtol=0.02, atol=0.02)
