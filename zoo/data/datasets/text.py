"""Your own text: a file, a folder or a pattern; in UTF-8, in any script, larger than memory.

It is read in pieces, tokenised once, and kept as numbers on the disk. A byte order mark is dropped,
and Windows' ends of lines become `\\n`.

The split: ten files or more are dealt, file by file; of fewer, each file's beginning trains, what
follows is the validation text, and its end the test. So no text is in two splits, unless it is in
two files.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from zoo.data.dataset import Dataset
from zoo.data.deal import deal
from zoo.data.splits import Split
from zoo.data.text.document import Document, Documents, total_size
from zoo.data.text.encoding import TextForm
from zoo.data.text.files import border, find_texts, first_byte, pieces, raw_pieces
from zoo.data.text.windows import token_dataset
from zoo.errors import UserError
from zoo.registry import DATASETS

FEW = 10  # files; fewer are cut, not dealt


@DATASETS.register("text", needs="files", tiny=dict(block_size=32))
def text(
    split: Split,
    form: TextForm,
    block_size: int,
    path: str | None = None,
    pattern: str | None = None,
    held_out_mb: float | None = 10.0,
    encoding: dict[str, Any] | None = None,
    root: str = "data",
) -> Dataset:
    """Text files.

    Args:
        path: A file, a folder, or a pattern (`books/**/*.txt`).
        pattern: Which files of a folder; null: those of a text's extension.
        held_out_mb: The most text, MB (10^6 bytes), for validation, and as much for the test: of
            large texts the fractions are too much to judge on again and again. Null: no limit.

    Raises:
        UserError: No text there, text that is not UTF-8, or too little of it.
    """
    if path is None:
        raise UserError(
            "data=text needs data.path=<file, folder or pattern>, e.g. data.path='books/*.txt'"
        )
    if held_out_mb is not None and not held_out_mb > 0:
        raise UserError(f"data.held_out_mb={held_out_mb}: expected a number above 0, or null")
    folder, files, notes = find_texts(path, pattern)
    documents = [_document(file, folder) for file in files]
    share = _limited(split, held_out_mb, total_size(documents))
    dealt = deal(documents, share) if len(files) >= FEW else _tails(files, folder, share)
    dataset = token_dataset("text", dealt, form, block_size, root, encoding, documents)
    dataset.notes += notes
    return dataset


def _document(
    file: Path, folder: Path, start: int | None = None, stop: int | None = None
) -> Document:
    """A file's text, or that from byte `start` to `stop`."""
    start = first_byte(file) if start is None else start
    stop = file.stat().st_size if stop is None else stop
    parts = (partial(one, file, start, stop) for one in (pieces, raw_pieces))
    return Document(str(file.relative_to(folder)), stop - start, *parts)


def _limited(split: Split, held_out_mb: float | None, size: int) -> Split:
    """The same split with fractions that are no more than so many MB each."""
    if held_out_mb is None or split.folds is not None:
        return split
    most = held_out_mb * 1e6 / size
    return replace(
        split,
        val_fraction=min(split.val_fraction, most),
        test_fraction=min(split.test_fraction, most),
    )


def _tails(files: Sequence[Path], folder: Path, split: Split) -> Documents:
    """Each file cut in three, at ends of lines: train, then val, then test."""
    if split.folds is not None:
        raise UserError(
            f"data.folds={split.folds}: {len(files)} files cannot be dealt; expected {FEW} or more"
        )
    dealt: dict[str, list[Document]] = {"train": [], "val": [], "test": []}
    for file in files:
        begin, end = first_byte(file), file.stat().st_size
        test, val = split.test_fraction * (end - begin), split.val_fraction * (end - begin)
        last = border(file, end - int(test), int(test / 2))
        middle = min(last, border(file, end - int(test + val), int(val / 2)))
        marks = [begin, middle, last, end]
        for name, start, stop in zip(dealt, marks, marks[1:]):
            dealt[name].append(_document(file, folder, start, stop))
    return dealt
