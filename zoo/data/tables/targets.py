"""What a model predicts of a table: one column, or several.

Shapes: N rows, O targets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.data.contents import Content
from zoo.data.labels import check_separator
from zoo.data.tables.csv_file import Table
from zoo.data.tables.encoding import Target
from zoo.data.tables.label_columns import (
    are_binary,
    label_content,
    read_label_cells,
    read_label_columns,
)
from zoo.data.tables.numbers import Notation, is_no_number
from zoo.data.tables.reading import is_numeric
from zoo.data.tables.target import raise_problems, read_number, read_target
from zoo.errors import UserError
from zoo.phrases import plural


@dataclass
class Targets:
    """The targets of all rows.

    Attributes:
        names: Of their columns.
        values: As `zoo.data.tables.dataset.table_dataset` takes them.
        classes: Names of classes; None for numbers.
        notations: How the numbers of each column are written.
        contents: What each column is, for the header.
        separator: Between the labels of a cell.
    """

    names: list[str]
    values: Tensor
    classes: list[str] | None
    notations: tuple[Notation, ...]
    contents: list[Content]
    separator: str = ""


def target_names(
    table: Table, target: str | None, trained: Sequence[str] | None = None
) -> list[str]:
    """The columns that `data.target` names: `price`, `price,rent` or `[price,rent]`.

    A name may hold commas itself: the longest that is in the header is taken.

    Args:
        table: The file.
        target: As typed, None for those of the run.
        trained: Of the run that is evaluated; None for a new run.

    Raises:
        UserError: None is named, no such columns; one that is named twice.
    """
    if target is None and trained is None:
        raise UserError(
            f"data.target is missing: the column to predict (one of: {', '.join(table.header)})"
        )
    names = list(trained or ())
    if target is not None:
        inner = target.strip().removeprefix("[").removesuffix("]")
        names = [target] if target in table.header else _cut(inner, table.header)
    table.check_columns({"target": names})
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"data.target names '{doubled}' twice")
    return names


def _cut(text: str, header: Sequence[str]) -> list[str]:
    pieces, names = text.split(","), []
    while pieces:
        starts = (",".join(pieces[:n]).strip().strip("'\"") for n in range(len(pieces), 0, -1))
        name = next((start for start in starts if start in header), pieces[0].strip())
        names.append(name)
        del pieces[: name.count(",") + 1]
    return names


def read_targets(
    table: Table,
    names: list[str],
    kind: str,
    notes: list[str],
    fitted: Sequence[Target] | None = None,
    separator: str | None = None,
) -> Targets:
    """The targets of a table.

    Args:
        table: The file.
        names: Their columns.
        kind: "classification", "regression", "multi_label" or "auto".
        notes: Lines are added on what was detected.
        fitted: Those of the run that is evaluated; None for a new run.
        separator: Between the labels of a cell; None to detect it.

    Raises:
        UserError: Missing or unreadable values, with their lines; columns that do not go together;
            a separator for one class.
    """
    if fitted is None:
        check_separator(separator, is_used=kind == "multi_label" and len(names) == 1)
    trained_names = [name for target in fitted or () for name in target.columns]
    if fitted is not None and len(names) != len(trained_names):
        raise UserError(
            f"data.target names {plural(len(names), 'column')}, the run predicts "
            f"{len(trained_names)}: {', '.join(trained_names)}"
        )
    if kind == "multi_label" or (kind == "auto" and len(names) > 1 and are_binary(table, names)):
        return _labels(table, names, notes, fitted, separator)
    if len(names) == 1:
        trained = (fitted[0].class_names, fitted[0].notation) if fitted else ()
        column = read_target(table, names[0], kind, notes, *trained)
        notations = (column.notation,)
        return Targets(names, column.values, column.classes, notations, [column.content(names[0])])
    return _several_numbers(table, names, kind, notes, fitted)


def _labels(
    table: Table,
    names: list[str],
    notes: list[str],
    fitted: Sequence[Target] | None,
    separator: str | None,
) -> Targets:
    """Float32 (N, K) values, 0 and 1."""
    is_one = len(names) == 1
    if fitted is not None:
        separator, is_one = fitted[0].separator, bool(fitted[0].separator)
    if is_one:
        trained = fitted[0].class_names if fitted else ()
        values, labels, sign = read_label_cells(table, names[0], separator, trained, notes)
        contents = [label_content(names[0], labels, values)]
        return Targets(names, values, labels, (), contents, sign)
    if fitted is not None:  # the labels are names of columns
        if set(names) != set(fitted[0].class_names):
            raise UserError(
                f"data.target: the run predicts the labels {', '.join(fitted[0].class_names)}"
            )
        names = list(fitted[0].class_names)
    else:
        notes.append(f"{len(names)} targets of 0 and 1, so multi_label (data.kind)")
    values = read_label_columns(table, names, is_new=fitted is None)
    counts = values.sum(0).long().tolist()
    contents = [
        Content(name, "target", f"label of {count:,} of {len(values):,} rows")
        for name, count in zip(names, counts, strict=True)
    ]
    return Targets(names, values, names, (), contents)


def _several_numbers(
    table: Table,
    names: list[str],
    kind: str,
    notes: list[str],
    fitted: Sequence[Target] | None,
) -> Targets:
    """Float64 (N, O) values."""
    if kind == "classification":
        raise UserError(
            f"task=classification predicts one column, data.target names {len(names)} "
            f"({', '.join(names[:4])}); name one, or take task=regression or task=multi_label"
        )
    for name in names if fitted is None else ():
        known = [text for text in table.texts(name) if text and not is_no_number(text)]
        if known and not is_numeric(known):
            raise UserError(
                f"{table.path}: the target '{name}' holds texts ('{known[0][:40]}'), and several "
                f"targets have to be numbers, or 0 and 1; predict it in a run of its own"
            )
    if fitted is None:
        notes.append(f"{len(names)} targets of numbers, so regression (data.kind)")
    problems: list[str] = []
    how = [target.notation for target in fitted] if fitted else [None] * len(names)
    columns = [
        read_number(table, name, notation, notes, problems, "leave it out of data.target")
        for name, notation in zip(names, how, strict=True)
    ]
    raise_problems(table, problems)
    return Targets(
        names,
        torch.stack([column.values for column in columns], dim=1),
        None,
        tuple(column.notation for column in columns),
        [column.content(name) for name, column in zip(names, columns, strict=True)],
    )
