"""Rows of unequal length: kept without padding, padded batch by batch."""

import torch

from zoo.data.text.ragged import Ragged


def test_rows_of_unequal_length_survive_selection_and_moving():
    rows = [torch.arange(1, n + 1).numpy() for n in (3, 1, 0, 5)]
    ragged = Ragged.of(rows, torch.int16).to(torch.device("cpu"))
    assert ragged.rows(torch.tensor([1, 0, 1])).tolist() == [[1, 0, 0], [1, 2, 3], [1, 0, 0]]
    assert ragged.rows(torch.tensor([2, 3])).tolist() == [[0] * 5, [1, 2, 3, 4, 5]]
