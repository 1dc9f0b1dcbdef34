"""What a histogram counts."""

import pytest
import torch

from zoo.training.histogram import BINS, histogram


def test_every_value_is_in_the_bin_whose_limits_hold_it():
    values = torch.randn(7, 300, generator=torch.Generator().manual_seed(0))
    found = histogram(values)
    assert (found.least, found.most, found.number) == (values.min(), values.max(), 2100)
    assert found.total == pytest.approx(values.double().sum().item())
    assert found.squares == pytest.approx(values.double().square().sum().item())
    assert len(found.limits) == len(found.counts) == BINS and sum(found.counts) == 2100
    for limit, below in zip(found.limits[:-1], torch.tensor(found.counts).cumsum(0), strict=False):
        assert below == (values.double() < limit).sum()
    assert found.limits[-1] == found.most


def test_equal_values_are_one_bin():
    assert histogram(torch.zeros(5)) == (0.0, 0.0, 5, 0.0, 0.0, [0.0], [5.0])


def test_values_that_are_not_finite_are_left_out():
    found = histogram(torch.tensor([1.0, torch.nan, 3.0, torch.inf], dtype=torch.bfloat16))
    assert found[:4] == (1.0, 3.0, 2, 4.0) and sum(found.counts) == 2
    assert histogram(torch.tensor([torch.nan])) is None and histogram(torch.ones(0)) is None


def test_of_a_sparse_tensor_the_rows_that_it_has():
    rows = torch.sparse_coo_tensor([[3, 3, 5]], torch.tensor([[1.0], [1.0], [4.0]]), (9, 1))
    assert histogram(rows)[:4] == (2.0, 4.0, 2, 6.0)
