"""Inputs as another network knows them."""

import torch

from zoo.restandardise import feature_rescaling, pixel_rescaling


def test_columns_of_a_table_keep_their_values():
    here, there = [[3.0, 2.0], [0.0, 1.0]], [[1.0, 4.0], [5.0, 0.5]]  # mean and deviation
    values = torch.randn(6, 2)
    scale, shift = feature_rescaling(here, {"feature_scales": there})
    raw = values * torch.tensor([2.0, 1.0]) + torch.tensor([3.0, 0.0])
    known = (raw - torch.tensor([1.0, 5.0])) / torch.tensor([4.0, 0.5])
    torch.testing.assert_close(values * scale + shift, known)


def test_large_values_of_little_deviation_keep_their_digits():
    here, there = [[1.7e9 + 3, 2.0]], [[1.7e9, 1.0]]
    scale, shift = feature_rescaling(here, {"feature_scales": there})
    assert scale.tolist() == [2.0] and shift.tolist() == [3.0]


def test_what_is_not_known_stays_as_it_is():
    for scale, shift in (pixel_rescaling(None, None, {}), feature_rescaling([[0.0, 1.0]], {})):
        assert scale == 1 and shift == 0
