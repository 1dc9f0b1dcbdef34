"""Labels of samples: cells cut, splits that hold rare ones, labels that are unknown."""

import pytest
import torch

from zoo.data.labels import find_separator, label_matrix, note_labels, rarest, split_labels
from zoo.errors import UserError


def test_cells_are_cut():
    assert split_labels(" a; b ;;a", ";") == ["a", "b"] and split_labels(" ", ";") == []
    assert find_separator(["a", "b, c", "d|e"]) == "|" and find_separator(["a,b"]) == ","
    assert find_separator(["a"]) == ";" and find_separator(["a;b"], "/") == "/"
    with pytest.raises(UserError, match="data.separator=' '"):
        find_separator(["a"], " ")


def test_a_row_belongs_to_its_rarest_label():
    matrix = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 0], [1, 1, 0]]).float()
    assert rarest(matrix).tolist() == [1, 0, 2, 3, 1]


def test_unknown_labels_are_one_line():
    with pytest.raises(UserError) as error:
        label_matrix(["a;comdy", "x"], ";", ["a", "comedy"])
    assert str(error.value) == (
        "the data has the label 'comdy' and 1 more label, which the run was not trained on; did "
        "you mean 'comedy'? (it knows: a, comedy)"
    )


def test_what_is_odd_is_noted():
    matrix = torch.tensor([[1, 0], [0, 0], [0, 1]]).float()
    assert note_labels(["a", "b"], matrix, torch.tensor([0, 1])) == [
        "1 of 3 samples have no label",
        "no sample has more than one label: task=classification may fit better",
        "no training sample has the label b",
    ]
