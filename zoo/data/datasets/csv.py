"""The user's own table: a CSV file, one column of it to predict."""

from dataclasses import replace
from typing import Literal

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.tables.columns import read_columns
from zoo.data.tables.csv_file import read_csv
from zoo.data.tables.dataset import table_dataset
from zoo.data.tables.encoding import TableEncoding
from zoo.data.tables.target import read_target
from zoo.errors import UserError
from zoo.registry import DATASETS


@DATASETS.register("csv", needs="files")
def csv_table(
    context: DataContext,
    path: str | None = None,
    target: str | None = None,
    kind: Literal["auto", "classification", "regression"] = "auto",
    columns: list[str] | None = None,
    drop: list[str] | None = None,
    numeric: list[str] | None = None,
    categorical: list[str] | None = None,
    delimiter: str | None = None,
) -> Dataset:
    """Rows of a CSV file with a header line.

    Numbers are standardised, missing ones become the median and a 0/1 feature that marks them;
    dates become several numbers, texts one 0/1 feature each. All of it is fitted on the training
    rows.

    Args:
        context: The shared settings.
        path: The file.
        target: The column to predict.
        kind: Whether it holds classes or numbers; "auto" takes texts and few whole numbers as
            classes.
        columns: Columns to learn from; null takes all.
        drop: Columns to leave out.
        numeric, categorical: Columns of that kind; of the others, a column is numeric when 90 % of
            its cells are.
        delimiter: Between cells; null detects it.
    """
    encoding = context.fitted(TableEncoding)
    if path is None:
        raise UserError("data.path is missing: a CSV file with a header; e.g. data.path=table.csv")
    table = read_csv(path, delimiter)
    target_kind: str = kind
    if encoding is not None:
        target, target_kind = target or encoding.target.name, encoding.target.kind
    if target is None:
        raise UserError(
            f"data.target is missing: the column to predict (one of: {', '.join(table.header)})"
        )
    lists = {"columns": columns, "drop": drop, "numeric": numeric, "categorical": categorical}
    table.check_columns({"target": [target], **lists})
    notes = list(table.notes)
    if encoding is not None:
        raw, readings, contents = encoding.parse(table, notes), None, []
        fitted = encoding.target
        found = read_target(table, target, target_kind, notes, fitted.class_names, fitted.notation)
    else:
        found = read_target(table, target, target_kind, notes)
        names = [n for n in columns or table.header if n != target and n not in (drop or [])]
        read = read_columns(table, names, set(numeric or []), set(categorical or []))
        raw, readings, contents = read.raw, read.readings, [found.content(target), *read.contents]
        notes += read.notes
    dataset = table_dataset(
        raw, found.values, target, found.classes, context, delimiter, readings, found.notation
    )
    return replace(dataset, notes=notes, contents=contents)
