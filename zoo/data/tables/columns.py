"""Which columns of a CSV file a model learns from, and what it predicts.

Shapes: N rows.
"""

from typing import Any

import torch
from torch import Tensor

from zoo.data.tables.csv_file import Table, parse_number, sort_labels
from zoo.data.tables.encoding import Raw
from zoo.errors import UserError

NUMERIC_FRACTION = 0.9  # a column with at least this fraction of numbers is numeric
FEW = 20  # distinct values that are still plausibly classes or categories in a small table


def read_target(
    table: Table, name: str, kind: str, notes: list[str], is_new: bool = True
) -> tuple[Tensor, list[str] | None]:
    """The target: int64 (N,) class numbers and the names of the classes, or float64 (N,) and None.

    Args:
        table: The file.
        name: The target's column.
        kind: "classification", "regression" or "auto".
        notes: A line is added when the kind was detected.
        is_new: Whether a new model is to learn it, so that a single class is an error.

    Raises:
        UserError: A missing or unreadable value, with its line; nothing to distinguish.
    """
    labels = _labels(table, name)
    distinct = set(labels)
    if kind == "auto":
        kind = _kind_of(distinct)
        values = "classes" if kind == "classification" else "numbers"
        notes.append(f"target '{name}': {len(distinct)} {values}, so {kind} (data.kind)")
    if kind == "regression":
        return table.numbers(name, "data.kind=classification"), None
    if is_new and len(distinct) < 2:
        raise UserError(
            f"{table.path}: the target '{name}' is '{labels[0]}' in every row; expected two "
            "classes or more"
        )
    if is_new and len(distinct) > FEW and 2 * len(distinct) > len(labels):
        raise UserError(
            f"{table.path}: the target '{name}' has {len(distinct)} distinct values in "
            f"{len(labels)} rows; expected classes that repeat, or numbers with "
            "data.kind=regression"
        )
    classes = sort_labels(distinct)
    number = {label: i for i, label in enumerate(classes)}
    return torch.tensor([number[label] for label in labels]), classes


def _labels(table: Table, name: str) -> list[str]:
    labels = []
    for text, line in zip(table.texts(name), table.lines, strict=True):
        if text is None:
            raise UserError(
                f"{table.path}, line {line}: the target '{name}' is missing; fill it in or remove "
                "the line"
            )
        labels.append(text)
    return labels


def read_columns(
    table: Table, names: list[str], numeric: set[str], categorical: set[str], notes: list[str]
) -> Raw:
    """The columns to learn from, as numbers or texts.

    Args:
        table: The file.
        names: The columns to consider.
        numeric, categorical: Those whose kind is set; of the others it is detected.
        notes: A line is added for each column that is left out.

    Raises:
        UserError: A text in a numeric column (with its line), a column of ids, no column at all.
    """
    if both := sorted(numeric & categorical):
        raise UserError(f"data.numeric and data.categorical both name '{both[0]}'; keep one")
    raw: dict[str, Any] = {}
    for name in names:
        texts = table.texts(name)
        known = [text for text in texts if text is not None]
        is_set = name in numeric or name in categorical
        if len(set(texts)) == 1:
            content = "empty" if not known else f"'{known[0]}' in every row"
            notes.append(f"column '{name}' left out: {content}")
        elif name in numeric or (name not in categorical and _mostly_numbers(known)):
            values = table.numbers(name, f"data.categorical=[{name}]")
            if not is_set and _counts_rows(values):
                notes.append(
                    f"column '{name}' left out: it counts the rows (data.numeric=[{name}] keeps it)"
                )
            else:
                raw[name] = values
        else:
            if not is_set:
                _check_categories(table, name, known)
            raw[name] = texts
    if not raw:
        raise UserError(f"{table.path}: no column is left to learn from; {'; '.join(notes)}")
    return raw


def _kind_of(distinct: set[str]) -> str:
    values = [parse_number(text) for text in distinct]
    integers = all(value is not None and value.is_integer() for value in values)
    if None in values or (integers and len(distinct) <= FEW):
        return "classification"
    return "regression"


def _mostly_numbers(known: list[str]) -> bool:
    numbers = sum(parse_number(text) is not None for text in known)
    return numbers >= NUMERIC_FRACTION * len(known)


def _counts_rows(values: Tensor) -> bool:
    return len(values) > FEW and bool((values.diff() == 1).all())


def _check_categories(table: Table, name: str, known: list[str]) -> None:
    distinct = len(set(known))
    if distinct > 1000 or (distinct > FEW and 2 * distinct > len(known)):
        raise UserError(
            f"{table.path}: the column '{name}' has {distinct:,} distinct texts in {len(known):,} "
            f"rows (e.g. '{known[0]}'): ids or free text? Leave it out, data.drop=[{name}], or "
            f"keep it, data.categorical=[{name}]"
        )
