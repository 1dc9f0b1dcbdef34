"""The user's own texts and their classes: two columns of a CSV file."""

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.tables.csv_file import Table, read_csv
from zoo.data.tables.target import read_target
from zoo.data.text.labelled import labelled_text_dataset
from zoo.data.text.labelled_encoding import LabelledTextEncoding, cells, with_text
from zoo.errors import UserError
from zoo.registry import DATASETS


@DATASETS.register("text_csv", uses=("tokenizer",), needs="files", tiny={"block_size": 32})
def text_csv(
    context: DataContext,
    block_size: int,
    path: str | None = None,
    text: str | None = None,
    target: str | None = None,
    delimiter: str | None = None,
) -> Dataset:
    """Rows of a CSV file with a header line; rows without a text are left out.

    Args:
        context: The shared settings.
        block_size: Maximum number of tokens of a text; the rest is cut off.
        path: The file.
        text: The column of the texts.
        target: The column of their classes.
        delimiter: Between cells; null detects it.
    """
    encoding = context.fitted(LabelledTextEncoding)
    if path is None:
        raise UserError("data.path is missing: a CSV file with a header; e.g. data.path=mails.csv")
    table = read_csv(path, delimiter)
    if encoding is not None:
        text, target = text or encoding.text, target or encoding.target
    text = _column(table, "text", "texts", text)
    target = _column(table, "target", "classes", target)
    if text == target:
        raise UserError(f"data.text and data.target are both '{text}'; name two columns")
    table, empty = with_text(table, text)
    notes = list(table.notes)
    trained = None if encoding is None else encoding.class_names
    labels, classes, _ = read_target(table, target, "classification", notes, trained)
    assert classes is not None
    dataset = labelled_text_dataset(
        "text_csv",
        cells(table, text),
        labels,
        classes,
        context.indices(labels),
        context,
        block_size,
        (text, target, delimiter),
    )
    dataset.notes.extend(notes)
    if empty:
        dataset.notes.append(f"{empty:,} rows without a text left out")
    return dataset


def _column(table: Table, option: str, content: str, name: str | None) -> str:
    """The column that an option names."""
    if name is None:
        raise UserError(
            f"data.{option} is missing: the column of the {content} (one of: "
            f"{', '.join(table.header)})"
        )
    table.check_columns({option: [name]})
    return name
