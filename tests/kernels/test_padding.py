"""Padding: where it is, and sizes that are rounded up."""

import torch

from zoo.kernels import IGNORE_INDEX
from zoo.kernels.padding import keep_labels, padding_mask, select_labels, trim_padding

TOKENS = torch.tensor([[5, 6, 7, 0, 0], [5, 0, 0, 0, 0]])


def test_the_mask_is_none_where_there_is_no_padding():
    mask = padding_mask(TOKENS, pad_id=0)
    assert mask.shape == (2, 1, 1, 5) and mask[:, 0, 0].sum(1).tolist() == [3, 1]
    assert padding_mask(TOKENS[:1, :3], pad_id=0) is None


def test_widths_are_one_more_than_a_multiple_of_eight():
    for length, width in ((1, 1), (2, 9), (9, 9), (10, 17), (20, 20)):
        tokens = torch.zeros(2, 20, dtype=torch.int64)
        tokens[0, :length] = 3
        trimmed = trim_padding(tokens, pad_id=0, max_length=20)
        assert trimmed.shape == (2, width) and int((trimmed != 0).sum()) == length


def test_labels_are_selected_and_the_surplus_is_ignored():
    positions, labels, count = select_labels(TOKENS, pad_id=0)
    assert count == 4 and len(positions) == len(labels) == 128
    assert positions[:4].tolist() == [0, 1, 2, 5] and labels[:4].tolist() == [5, 6, 7, 5]
    assert (labels[4:] == IGNORE_INDEX).all()


def test_a_gpu_keeps_all_labels_and_counts_those_that_are_none():
    positions, labels, count = keep_labels(TOKENS.flatten(), pad_id=0)
    _, selected, expected = select_labels(TOKENS, pad_id=0)
    assert positions.tolist() == list(range(10)) and count == expected
    assert labels[labels != IGNORE_INDEX].tolist() == selected[:count].tolist()
