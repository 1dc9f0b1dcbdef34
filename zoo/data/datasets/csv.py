"""The user's own table: a CSV file, one column of it to predict."""

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor

from zoo.data.dataset import Dataset
from zoo.data.splits import Split
from zoo.data.tables.csv_file import Table, parse_number, read_csv
from zoo.data.tables.dataset import encoding_for_tables, table_dataset
from zoo.data.tables.encoding import Raw
from zoo.errors import UserError, unknown_name
from zoo.registry import DATASETS

NUMERIC_SHARE = 0.9  # a column with at least this part of numbers is meant to be numeric
FEW = 20  # distinct values that are still plausibly classes or categories in a small table


@DATASETS.register("csv", needs="files")
def csv_table(
    split: Split,
    encoding: dict[str, Any] | None = None,
    path: str | None = None,
    target: str | None = None,
    kind: Literal["auto", "classification", "regression"] = "auto",
    columns: list[str] | None = None,
    drop: list[str] | None = None,
    numeric: list[str] | None = None,
    categorical: list[str] | None = None,
    delimiter: str | None = None,
) -> Dataset:
    """Rows of a CSV file with a header line, UTF-8.

    Numbers are standardised, missing ones become the median and a 0/1 feature that says so; texts
    become one 0/1 feature each. All of it is fitted on the training rows.

    Args:
        split: How to deal the rows.
        encoding: JSON of a run's encoding, to be used in place of fitting one.
        path: The file.
        target: The column to predict.
        kind: Whether it holds classes or numbers; "auto" takes texts and few whole numbers as
            classes.
        columns: Columns to learn from; null takes all.
        drop: Columns to leave out.
        numeric, categorical: Columns of that kind; of the others, one is numeric when 90 % of its
            cells are.
        delimiter: Between cells; null finds it out.
    """
    fitted = encoding_for_tables(encoding)
    if path is None:
        raise UserError("data.path is missing: a CSV file with a header; e.g. data.path=table.csv")
    table = read_csv(path, delimiter)
    if fitted is not None:
        target, kind = target or fitted.target.name, fitted.target.kind
    if target is None:
        raise UserError(
            f"data.target is missing: the column to predict (one of: {', '.join(table.header)})"
        )
    lists = {"columns": columns, "drop": drop, "numeric": numeric, "categorical": categorical}
    for option, names in {"target": [target], **lists}.items():
        for name in names or []:
            if name not in table.header:
                raise UserError(
                    f"data.{option}: {path}: {unknown_name('column', name, table.header)}"
                )
    notes: list[str] = []
    values, classes = read_target(table, target, kind, notes, fresh=fitted is None)
    if fitted is not None:
        raw = fitted.parse(table)
    else:
        names = [n for n in columns or table.header if n != target and n not in (drop or [])]
        raw = read_columns(table, names, set(numeric or []), set(categorical or []), notes)
    dataset = table_dataset(raw, values, target, classes, split, encoding, delimiter)
    dataset.notes = notes
    return dataset


def read_target(
    table: Table, name: str, kind: str, notes: list[str], fresh: bool = True
) -> tuple[Tensor, list[str] | None]:
    """The target: int64 class numbers and the names of the classes, or float64 values and None.

    Args:
        table: The file.
        name: The target's column.
        kind: "classification", "regression" or "auto".
        notes: A line is added when the kind was found out.
        fresh: Whether a model is to learn it, so that one class alone is a mistake.

    Raises:
        UserError: A missing or unreadable value, with its line; nothing to tell apart.
    """
    texts = table.texts(name)
    for text, line in zip(texts, table.lines, strict=True):
        if text is None:
            raise UserError(
                f"{table.path}, line {line}: the target '{name}' is missing; fill it in or remove "
                "the line"
            )
    known = [text for text in texts if text is not None]
    distinct = set(known)
    if kind == "auto":
        kind = _kind_of(distinct)
        spelled = "classes" if kind == "classification" else "numbers"
        notes.append(f"target '{name}': {len(distinct)} {spelled}, so {kind} (data.kind)")
    if kind == "regression":
        return table.numbers(name, "data.kind=classification"), None
    if fresh and len(distinct) < 2:
        raise UserError(
            f"{table.path}: the target '{name}' is '{known[0]}' in every row; expected two classes "
            "or more"
        )
    if fresh and len(distinct) > FEW and 2 * len(distinct) > len(known):
        raise UserError(
            f"{table.path}: the target '{name}' has {len(distinct)} distinct values in "
            f"{len(known)} rows; expected classes that repeat, or numbers with data.kind=regression"
        )
    classes = in_order(distinct)
    number = {text: i for i, text in enumerate(classes)}
    return torch.tensor([number[text] for text in known]), classes


def read_columns(
    table: Table, names: list[str], numeric: set[str], categorical: set[str], notes: list[str]
) -> Raw:
    """The columns to learn from, as numbers or texts.

    Raises:
        UserError: A text in a numeric column (with its line), a column of ids, no column at all.
    """
    if both := sorted(numeric & categorical):
        raise UserError(f"data.numeric and data.categorical both name '{both[0]}'; keep one")
    raw: dict[str, Any] = {}
    for name in names:
        texts = table.texts(name)
        known = [text for text in texts if text is not None]
        chosen = name in numeric or name in categorical
        if len(set(texts)) == 1:
            what = "empty" if not known else f"'{known[0]}' in every row"
            notes.append(f"column '{name}' left out: {what}")
        elif name in numeric or (name not in categorical and _mostly_numbers(known)):
            values = table.numbers(name, f"data.categorical=[{name}]")
            if not chosen and _counts_rows(values):
                notes.append(
                    f"column '{name}' left out: it counts the rows (data.numeric=[{name}] keeps it)"
                )
            else:
                raw[name] = values
        else:
            if not chosen:
                _check_categories(table, name, known)
            raw[name] = texts
    if not raw:
        raise UserError(f"{table.path}: no column is left to learn from; {'; '.join(notes)}")
    return raw


def in_order(texts: Iterable[str]) -> list[str]:
    """Sorted; as numbers where all are numbers."""
    texts = list(texts)
    values = {text: parse_number(text) for text in texts}
    if None in values.values():
        return sorted(texts)
    return sorted(texts, key=lambda text: (values[text], text))


def _kind_of(distinct: set[str]) -> str:
    values = [parse_number(text) for text in distinct]
    whole = all(value is not None and value.is_integer() for value in values)
    if None in values or (whole and len(distinct) <= FEW):
        return "classification"
    return "regression"


def _mostly_numbers(known: list[str]) -> bool:
    numbers = sum(parse_number(text) is not None for text in known)
    return numbers >= NUMERIC_SHARE * len(known)


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
