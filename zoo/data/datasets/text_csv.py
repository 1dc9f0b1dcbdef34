"""The user's own texts and their classes: two columns of a CSV file."""

from typing import Any

from zoo.data.dataset import Dataset
from zoo.data.datasets.csv import read_target
from zoo.data.splits import Split
from zoo.data.tables.csv_file import read_csv
from zoo.data.text.encoding import TextForm
from zoo.data.text.labelled import labelled_text_dataset
from zoo.data.text.labelled_encoding import cells, encoding_for_labelled_text, with_text
from zoo.errors import UserError, unknown_name
from zoo.registry import DATASETS


@DATASETS.register("text_csv", needs="files", tiny=dict(block_size=32))
def text_csv(
    split: Split,
    form: TextForm,
    block_size: int,
    encoding: dict[str, Any] | None = None,
    path: str | None = None,
    text: str | None = None,
    target: str | None = None,
    delimiter: str | None = None,
) -> Dataset:
    """Rows of a CSV file with a header line, UTF-8; rows without a text are left out.

    Args:
        split: How to deal the rows; each class in its share.
        form: Which tokenizer.
        block_size: The most tokens of a text; what follows them is cut off.
        encoding: JSON of a run's encoding, to be used in place of fitting one.
        path: The file.
        text: The column of the texts.
        target: The column of their classes.
        delimiter: Between cells; null finds it out.
    """
    fitted = encoding_for_labelled_text(encoding)
    if path is None:
        raise UserError("data.path is missing: a CSV file with a header; e.g. data.path=mails.csv")
    table = read_csv(path, delimiter)
    if fitted is not None:
        text, target = text or fitted.text, target or fitted.target
    for option, name in (("text", text), ("target", target)):
        if name is None:
            what = "texts" if option == "text" else "classes"
            raise UserError(
                f"data.{option} is missing: the column of the {what} (one of: "
                f"{', '.join(table.header)})"
            )
        if name not in table.header:
            raise UserError(f"data.{option}: {path}: {unknown_name('column', name, table.header)}")
    assert text is not None and target is not None
    if text == target:
        raise UserError(f"data.text and data.target are both '{text}'; name two columns")
    table, empty = with_text(table, text)
    labels, classes = read_target(table, target, "classification", [], fresh=fitted is None)
    assert classes is not None
    dataset = labelled_text_dataset(
        "text_csv",
        cells(table, text),
        labels,
        classes,
        split.indices(labels, allow_empty=fitted is not None),
        form,
        block_size,
        encoding,
        (text, target, delimiter),
    )
    if empty:
        dataset.notes.append(f"{empty:,} rows without a text left out")
    return dataset
