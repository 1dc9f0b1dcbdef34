"""The user's own texts and their classes or labels: two columns of a CSV file."""

from typing import Literal

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.labels import note_labels, rarest
from zoo.data.tables.csv_file import Table, read_csv
from zoo.data.tables.encoding import Target
from zoo.data.tables.targets import read_targets
from zoo.data.text.labelled import labelled_text_dataset
from zoo.data.text.labelled_encoding import LabelledTextEncoding, cells, with_text
from zoo.errors import UserError
from zoo.phrases import plural
from zoo.registry import DATASETS


@DATASETS.register("text_csv", uses=("tokenizer", "labels"), needs="files", tiny={"block_size": 32})
def text_csv(
    context: DataContext,
    block_size: int,
    path: str | None = None,
    text: str | None = None,
    target: str | None = None,
    kind: Literal["auto", "classification", "multi_label"] = "auto",
    separator: str | None = None,
    delimiter: str | None = None,
) -> Dataset:
    """Rows of a CSV file with a header line; rows without a text are left out.

    Args:
        context: The shared settings.
        block_size: Maximum number of tokens of a text; the rest is cut off.
        path: The file.
        text: The column of the texts.
        target: The column of their classes, or labels.
        kind: Whether a text has one class or any number of labels; "auto" takes one class.
        separator: Between the labels of a cell, such as `action;comedy`; null detects `;` `|` `,`.
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
    fitted = [_target(encoding, target)] if encoding else None
    kind_now = fitted[0].kind if fitted else ("classification" if kind == "auto" else kind)
    found = read_targets(table, [target], kind_now, notes, fitted, separator)
    assert found.classes is not None
    strata = rarest(found.values) if found.separator else found.values
    index = context.indices(strata, class_names=None if found.separator else found.classes)
    if found.separator and encoding is None:
        notes += note_labels(found.classes, found.values, index["train"])
    dataset = labelled_text_dataset(
        "text_csv",
        cells(table, text),
        found.values,
        found.classes,
        index,
        context,
        block_size,
        (text, target, delimiter),
        found.separator or None,
    )
    dataset.notes.extend(notes)
    if empty:
        dataset.notes.append(f"{plural(empty, 'row')} without a text left out")
    return dataset


def _target(encoding: LabelledTextEncoding, name: str) -> Target:
    """The target of the run that is evaluated or resumed."""
    if encoding.separator is None:
        return Target(name, "classification", encoding.class_names)
    return Target(name, "multi_label", encoding.class_names, separator=encoding.separator)


def _column(table: Table, option: str, content: str, name: str | None) -> str:
    """The column that an option names."""
    if name is None:
        raise UserError(
            f"data.{option} is missing: the column of the {content} (one of: "
            f"{', '.join(table.header)})"
        )
    table.check_columns({option: [name]})
    return name
