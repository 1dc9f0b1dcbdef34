"""Several labels of one sample: `action;comedy` in a cell, or a column of 0 and 1 for each label.

Shapes: N samples, K labels.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.errors import UserError, closest_match
from zoo.phrases import first_few, plural

SEPARATORS = ";|,"  # the first of them that is in any cell
USUAL = SEPARATORS[0]


def find_separator(cells: Sequence[str], given: str | None = None) -> str:
    """What stands between the labels of a cell.

    Args:
        cells: As they are written.
        given: `data.separator`; None to detect it.

    Raises:
        UserError: It is empty.
    """
    if given is not None:
        if not given.strip():
            raise UserError(f"data.separator={given!r}: expected what stands between labels, as ;")
        return given.strip()
    return next((sign for sign in SEPARATORS if any(sign in cell for cell in cells)), USUAL)


def check_separator(separator: str | None, is_used: bool) -> None:
    """Refuse a separator where a cell has one class.

    Raises:
        UserError: It is given, and not used.
    """
    if separator is not None and not is_used:
        raise UserError(
            f"data.separator={separator!r} stands between the labels of a cell: give "
            f"task=multi_label (data.kind), or leave it out"
        )


def split_labels(cell: str, separator: str) -> list[str]:
    """The labels of a cell, each once; none of an empty one."""
    return list(dict.fromkeys(part for piece in cell.split(separator) if (part := piece.strip())))


def label_matrix(cells: Sequence[str], separator: str, labels: Sequence[str]) -> Tensor:
    """Which labels each cell has, float32 (N, K).

    Raises:
        UserError: A cell has a label that is not among `labels`.
    """
    number = {label: k for k, label in enumerate(labels)}
    matrix = torch.zeros(len(cells), len(labels))
    unknown: Counter[str] = Counter()
    for row, cell in enumerate(cells):
        for label in split_labels(cell, separator):
            if label in number:
                matrix[row, number[label]] = 1.0
            else:
                unknown[label] += 1
    if unknown:
        raise UserError(_unknown(unknown, labels))
    return matrix


def _unknown(unknown: Counter[str], labels: Sequence[str]) -> str:
    first = next(iter(unknown))
    guess = closest_match(first, labels)
    hint = f"; did you mean '{guess}'?" if guess else ""
    more = f" and {plural(len(unknown) - 1, 'more label')}" if len(unknown) > 1 else ""
    return (
        f"the data has the label '{first}'{more}, which the run was not trained on{hint} (it "
        f"knows: {first_few(labels, 5)})"
    )


def rarest(matrix: Tensor) -> Tensor:
    """For each row the number of its rarest label, int64 (N,); K where it has none.

    Splits that are stratified by it hold each label, rare ones too.
    """
    counts = matrix.sum(0).expand_as(matrix).masked_fill(matrix == 0, float("inf"))  # (N, K)
    return counts.argmin(1).masked_fill(matrix.sum(1) == 0, matrix.shape[1])


def label_facts(labels: Sequence[str], train: Tensor) -> dict[str, Any]:
    """Facts of labels, from those of the training samples (N, K).

    There are no `class_names`: what predicts one class of several is not for such data.
    """
    return {
        "num_classes": len(labels),
        "num_outputs": len(labels),
        "label_names": list(labels),
        "label_counts": train.sum(0).long().tolist(),
        "num_samples": len(train),
    }


def note_labels(labels: Sequence[str], matrix: Tensor, train: Tensor) -> list[str]:
    """Notes on samples without a label, samples of one label alone, labels that are not trained.

    Args:
        labels: K names.
        matrix: (N, K).
        train: Numbers of the training samples; int64 (M,).
    """
    sizes, notes = matrix.sum(1), []
    if count := int((sizes == 0).sum()):
        notes.append(f"{count:,} of {len(matrix):,} samples have no label")
    if not bool((sizes > 1).any()):
        notes.append("no sample has more than one label: task=classification may fit better")
    absent = [name for name, n in zip(labels, matrix[train].sum(0).tolist(), strict=True) if not n]
    if absent:
        more = f" and {len(absent) - 3:,} more" if len(absent) > 3 else ""
        notes.append(f"no training sample has the label {', '.join(absent[:3])}{more}")
    return notes
