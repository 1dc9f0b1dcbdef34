"""The user's own table: a CSV file, one or more columns of it to predict."""

from dataclasses import replace
from typing import Literal

from zoo.bounds import Positive
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.tables.columns import read_columns
from zoo.data.tables.csv_file import read_csv
from zoo.data.tables.dataset import note_repeated, table_dataset
from zoo.data.tables.encoding import FileForm, TableEncoding
from zoo.data.tables.targets import read_targets, target_names
from zoo.data.tables.words import MAX_WORDS
from zoo.errors import UserError
from zoo.registry import DATASETS


@DATASETS.register("csv", uses=("labels",), needs="files")
def csv_table(
    context: DataContext,
    path: str | None = None,
    target: str | None = None,
    kind: Literal["auto", "classification", "regression", "multi_label"] = "auto",
    separator: str | None = None,
    columns: list[str] | None = None,
    drop: list[str] | None = None,
    numeric: list[str] | None = None,
    categorical: list[str] | None = None,
    texts: list[str] | None = None,
    max_words: Positive = MAX_WORDS,
    delimiter: str | None = None,
) -> Dataset:
    """Rows of a CSV file with a header line.

    Numbers are standardised, missing ones become the median and a 0/1 feature that marks them;
    dates become several numbers, texts one 0/1 feature each. All of it is fitted on the training
    rows.

    Args:
        context: The shared settings.
        path: The file.
        target: The column to predict; several of numbers, or of 0 and 1, as `price,rent`.
        kind: Whether it holds classes, numbers or labels; "auto" takes texts and few whole numbers
            as classes, several columns of 0 and 1 as labels.
        separator: Between the labels of a cell, such as `action;comedy`; null detects `;` `|` `,`.
        columns: Columns to learn from; null takes all.
        drop: Columns to leave out.
        numeric, categorical, texts: Columns of that kind; of the others, a column is numeric when
            90 % of its cells are, and a text when its cells hardly repeat and have several words.
        max_words: Features of a column of texts, at most.
        delimiter: Between cells; null detects it.
    """
    encoding = context.fitted(TableEncoding)
    if path is None:
        raise UserError("data.path is missing: a CSV file with a header; e.g. data.path=table.csv")
    table = read_csv(path, delimiter)
    target_kind: str = kind
    if encoding is not None:
        target_kind = encoding.target.kind
    targets = target_names(table, target, encoding.target_columns if encoding else None)
    kinds = {"numeric": numeric, "categorical": categorical, "texts": texts}
    lists = {"columns": columns, "drop": drop, **kinds}
    table.check_columns(lists)
    notes = list(table.notes)
    fitted = encoding.targets if encoding else None
    found = read_targets(table, targets, target_kind, notes, fitted, separator)
    if encoding is not None:
        raw, form, contents = encoding.parse(table, notes), FileForm(delimiter), []
    else:
        names = [n for n in columns or table.header if n not in (*targets, *(drop or []))]
        read = read_columns(table, names, *(set(chosen or []) for chosen in kinds.values()))
        raw, contents = read.raw, [*found.contents, *read.contents]
        notes += read.notes
        how = (read.readings, found.notations, found.separator, tuple(read.texts), max_words)
        form = FileForm(delimiter, *how)
    of_one = targets[0] if len(targets) == 1 else targets
    dataset = table_dataset(raw, found.values, of_one, found.classes, context, form)
    notes += dataset.notes if encoding else [*dataset.notes, *note_repeated(dataset.splits)]
    return replace(dataset, notes=notes, contents=contents)
