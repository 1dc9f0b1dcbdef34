"""Labels as a target, any number of which a row has: texts of one cell, or columns of 0 and 1.

Shapes: N rows, K labels.
"""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.data.contents import Content
from zoo.data.labels import find_separator, label_matrix, split_labels
from zoo.data.names import note_alike
from zoo.data.tables.csv_file import Table, is_missing
from zoo.data.tables.described import frequent
from zoo.data.tables.reading import listed_cells
from zoo.data.tables.target import FEW, missing_targets, raise_problems
from zoo.errors import UserError

BINARY = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "false": 0.0, "true": 1.0, "no": 0.0,
          "yes": 1.0}  # fmt: skip


def are_binary(table: Table, names: Sequence[str]) -> bool:
    """Whether columns hold nothing but 0 and 1, or false and true, where they are not missing."""
    return all(
        is_missing(cell) or cell.strip().lower() in BINARY
        for name in names
        for cell in table.cells(name)
    )


def read_label_cells(
    table: Table, name: str, separator: str | None, trained: Sequence[str], notes: list[str]
) -> tuple[Tensor, list[str], str]:
    """The labels of a column such as `action;comedy`; an empty cell has none.

    Args:
        table: The file.
        name: The column.
        separator: Between labels; None to detect it.
        trained: The labels of the run that is evaluated; empty for a new run.
        notes: A line is added on what was detected.

    Returns:
        0 and 1 (N, K), the K labels, the separator.

    Raises:
        UserError: A cell that is marked as missing, unknown labels, labels that do not repeat.
    """
    cells = [cell.strip() for cell in table.cells(name)]
    if wrong := [i for i, cell in enumerate(cells) if cell and is_missing(cell)]:
        what = f"in the target '{name}' is missing; leave the cell empty for no label"
        raise UserError(f"{table.path}, {listed_cells(table, name, wrong, what)}")
    sign = find_separator(cells, separator)
    if trained:
        try:
            return label_matrix(cells, sign, trained), list(trained), sign
        except UserError as error:
            raise UserError(f"{table.path}, the target '{name}': {error}") from None
    counts = Counter(label for cell in cells for label in split_labels(cell, sign))
    _check(table, name, sign, counts, len(cells))
    labels = sorted(counts)
    notes.append(f"target '{name}': {len(labels):,} labels separated by '{sign}' (data.separator)")
    notes += note_alike(labels, f"target '{name}'", "labels")
    return label_matrix(cells, sign, labels), labels, sign


def _check(table: Table, name: str, sign: str, counts: Counter[str], rows: int) -> None:
    if len(counts) < 2:
        found = f"'{next(iter(counts))}' alone" if counts else "none"
        raise UserError(
            f"{table.path}: the target '{name}' has {found}; expected two labels or more, "
            f"separated by '{sign}' (data.separator)"
        )
    if len(counts) > FEW and 2 * len(counts) > rows:
        raise UserError(
            f"{table.path}: the target '{name}' has {len(counts):,} distinct labels in {rows:,} "
            f"rows; expected labels that repeat, separated by '{sign}' (data.separator)"
        )


def read_label_columns(table: Table, names: Sequence[str], is_new: bool) -> Tensor:
    """Which of the labels, each a column of 0 and 1, a row has: (N, K).

    Raises:
        UserError: Missing or other values, with their lines; a column that is the same in all rows
            of a new run.
    """
    problems: list[str] = []
    columns = []
    for name in names:
        cells = [cell.strip().lower() for cell in table.cells(name)]
        problems += missing_targets(table, name, [i for i, c in enumerate(cells) if is_missing(c)])
        if wrong := [i for i, c in enumerate(cells) if c not in BINARY and not is_missing(c)]:
            what = f"in the target '{name}' is neither 0 nor 1"
            problems.append(listed_cells(table, name, wrong, what))
        if is_new and len(set(cells)) == 1 and not problems:
            problems.append(f"the target '{name}' is '{cells[0]}' in every row; leave it out")
        columns.append(torch.tensor([BINARY.get(cell, 0.0) for cell in cells]))
    raise_problems(table, problems)
    return torch.stack(columns, dim=1)


def label_content(name: str, labels: Sequence[str], matrix: Tensor) -> Content:
    """What a target of labels is, for the header."""
    counts = Counter(dict(zip(labels, matrix.sum(0).long().tolist(), strict=True)))
    return Content(name, "target", f"{len(labels):,} labels: {frequent(counts)}")
