"""What a model predicts: classes or numbers, from a column of a table.

Shapes: N rows.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.data.contents import Content
from zoo.data.labels import split_labels
from zoo.data.names import note_alike
from zoo.data.tables.csv_file import Table, is_missing, parse_number, sort_labels
from zoo.data.tables.described import describe_numbers, frequent
from zoo.data.tables.numbers import Notation, find_notation, is_no_number, looks_numeric
from zoo.data.tables.reading import Reading, lost_digits, read_numbers, usual_decimal
from zoo.errors import UserError
from zoo.phrases import plural

FEW = 20  # distinct values that are still plausibly classes or categories in a small table


class TargetColumn(NamedTuple):
    """The target of all rows.

    Attributes:
        values: Int64 (N,) class numbers, or float64 (N,).
        classes: Their names; None for numbers.
        notation: How the numbers are written.
    """

    values: Tensor
    classes: list[str] | None
    notation: Notation = Notation()

    def content(self, name: str) -> Content:
        """What it is, for the header."""
        if self.classes is None:
            return Content(name, "target", describe_numbers(self.values))
        counts = Counter([self.classes[k] for k in self.values.tolist()])
        return Content(name, "target", f"{len(self.classes):,} classes: {frequent(counts)}")


def read_target(
    table: Table,
    name: str,
    kind: str,
    notes: list[str],
    trained: Sequence[str] | None = None,
    notation: Notation | None = None,
) -> TargetColumn:
    """The target of a table.

    Args:
        table: The file.
        name: The target's column.
        kind: "classification", "regression" or "auto".
        notes: Lines are added on what was detected.
        trained: The classes of the run that is evaluated (none for numbers); None for a new run.
        notation: Of that run's numbers.

    Raises:
        UserError: Missing or unreadable values, with their lines; nothing to distinguish.
    """
    is_new = trained is None
    cells = [cell.strip() for cell in table.cells(name)]
    if kind == "auto":
        known = sorted({cell for cell in cells if not is_no_number(cell)}) or cells
        kind = _kind_of(known, usual_decimal(table)[0])
        distinct = len({cell for cell in cells if cell})
        values = "classes" if kind == "classification" else "numbers"
        notes.append(f"target '{name}': {distinct} {values}, so {kind} (data.kind)")
    if kind == "regression":
        problems: list[str] = []
        column = read_number(table, name, notation, notes, problems, "task=classification")
        raise_problems(table, problems)
        return column
    labels = _labels(table, name, cells, notes, trained or ())
    distinct_labels = set(labels)
    if is_new:
        _check_classes(table, name, labels)
        notes += _note_separator(name, distinct_labels)
        notes += note_alike(distinct_labels, f"target '{name}'", "classes")
    classes = sort_labels(distinct_labels)
    number = {label: i for i, label in enumerate(classes)}
    return TargetColumn(torch.tensor([number[label] for label in labels]), classes)


def _kind_of(distinct: list[str], usual: str) -> str:
    if any(starts_with_zero(text) for text in distinct):  # codes
        return "classification"
    values = [parse_number(text) for text in distinct]
    if None in values and all(map(looks_numeric, distinct)):
        with contextlib.suppress(ValueError):
            notation = find_notation(distinct, usual)
            values = [notation.parse(text) for text in distinct]
    integers = all(value is not None and value.is_integer() for value in values)
    is_classes = None in values or (integers and len(distinct) <= FEW)
    return "classification" if is_classes else "regression"


def starts_with_zero(text: str) -> bool:
    """Whether these are digits of a code, such as a postcode: 04109."""
    return re.fullmatch(r"0\d+", text) is not None


def read_number(
    table: Table,
    name: str,
    notation: Notation | None,
    notes: list[str],
    problems: list[str],
    otherwise: str,
) -> TargetColumn:
    """A target of numbers; `problems` gets what is missing or no number, `otherwise` the remedy."""
    cells = [cell.strip() for cell in table.cells(name)]
    problems += missing_targets(
        table, name, [i for i, cell in enumerate(cells) if is_no_number(cell)]
    )
    if notation is None:
        known = [cell for cell in cells if not is_no_number(cell)]
        try:
            notation = find_notation(known, usual_decimal(table)[0]) if known else Notation()
        except ValueError as error:
            raise UserError(
                f"{table.path}: the target '{name}': {error}; write all alike"
            ) from None
        if example := next((cell for cell in known if parse_number(cell) is None), None):
            notes.append(f"target '{name}': '{example}' is read as {notation.parse(example)}")
    values = read_numbers(table, name, Reading(notation=notation), otherwise, problems)
    if lost := lost_digits(cells, values):
        notes.append(f"target '{name}': {lost}")
    return TargetColumn(values, None, notation)


def raise_problems(table: Table, problems: Sequence[str]) -> None:
    """What keeps the targets from being read, in one line.

    Raises:
        UserError: There is something.
    """
    if problems:
        raise UserError(f"{table.path}, {'; '.join(problems)}")


def missing_targets(table: Table, name: str, numbers: Sequence[int]) -> list[str]:
    """The problem of a target that is missing in these rows."""
    if not numbers:
        return []
    what = f"the target '{name}' is missing; fill it in or remove the line"
    lines = [str(table.lines[i]) for i in numbers[1:4]]
    more = f" and {len(numbers) - 4:,} more" if len(numbers) > 4 else ""
    further = f" (likewise in line {', '.join(lines)}{more})" if lines else ""
    return [f"line {table.lines[numbers[0]]}: {what}{further}"]


def _labels(
    table: Table, name: str, cells: Sequence[str], notes: list[str], trained: Sequence[str]
) -> list[str]:
    """The classes; NA, nan and their like are classes where they repeat among other texts."""
    counts = Counter(cells)
    texts = [cell for cell in counts if not is_missing(cell)]
    among_texts = any(parse_number(text) is None for text in texts)
    kept = {
        cell
        for cell, count in counts.items()
        if cell and is_missing(cell) and (cell in trained or (among_texts and count > 1))
    }
    missing = [i for i, cell in enumerate(cells) if is_missing(cell) and cell not in kept]
    if problems := missing_targets(table, name, missing):
        shown = sorted({cells[i] for i in missing if cells[i]})
        said = f" ({', '.join(map(repr, shown))} counts as missing)" if shown else ""
        hint = "".join(_hint_of_labels({cell for cell in cells if cell}))
        raise UserError(f"{table.path}, {problems[0]}{said}{hint}")
    like_missing = [cell for cell in counts if cell and is_no_number(cell)]
    if like_missing and not trained:
        listed = ", ".join(f"'{cell}' ({plural(counts[cell], 'row')})" for cell in like_missing)
        notes.append(f"target '{name}': {listed} taken as a class; if missing, remove these rows")
    return list(cells)


def _check_classes(table: Table, name: str, labels: Sequence[str]) -> None:
    distinct = len(set(labels))
    if distinct < 2:
        raise UserError(
            f"{table.path}: the target '{name}' is '{labels[0]}' in every row; expected two "
            "classes or more"
        )
    if distinct > FEW and 2 * distinct > len(labels):
        raise UserError(
            f"{table.path}: the target '{name}' has {distinct} distinct values in "
            f"{len(labels)} rows; expected classes that repeat, or numbers with "
            f"task=regression{''.join(_hint_of_labels(set(labels)))}"
        )


def _note_separator(name: str, classes: set[str]) -> list[str]:
    hints = _hint_of_labels(classes)
    return [f"target '{name}': some classes look like several{hint}" for hint in hints]


def _hint_of_labels(classes: set[str]) -> list[str]:
    """A hint where the cells look like several labels each, as `action;comedy`."""
    for sign in ";|":
        many = [name for name in classes if sign in name]
        parts = [part for name in classes for part in split_labels(name, sign)]
        if many and len(set(parts)) < len(parts):  # a label is in several of them
            first = ", ".join(split_labels(min(many), sign)[:2])
            return [f"; for labels such as {first}: task=multi_label"]
    return []
