"""Your own text: a file, a folder or a pattern; in any script, larger than memory.

It is read in pieces, tokenised once, and its ids are kept on the disk. Files in UTF-16, GB18030 or
Windows-1252, and compressed ones, are copied to UTF-8 in `data.root`. A byte order mark is dropped,
and Windows' ends of lines become `\\n`.

The split: of ten files or more, each file belongs to one split; of fewer, the beginning of each
file is for training, then follows the validation text, and at its end the test text. So no text is
in two splits, unless it is in two files.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.repeated import repeated
from zoo.data.splits import Split, split_items
from zoo.data.text.document import Document, Documents, total_size
from zoo.data.text.files import find_texts, first_byte, line_boundary, pieces, raw_pieces
from zoo.data.text.transcode import TextFile, utf8_files
from zoo.data.text.windows import token_dataset
from zoo.errors import UserError
from zoo.registry import DATASETS

MIN_FILES = 10  # fewer files are each cut into train, val and test


@DATASETS.register("text", uses=("root", "tokenizer"), needs="files", tiny={"block_size": 32})
def text(
    context: DataContext,
    block_size: int,
    path: str | None = None,
    pattern: str | None = None,
    held_out_mb: float | None = 10.0,
    next_sentence: bool = False,
    denoising: bool = False,
) -> Dataset:
    """Text files.

    Args:
        context: The shared settings.
        block_size: Tokens in a window.
        path: A file, a folder, or a pattern (`books/**/*.txt`).
        pattern: Which files of a folder; null: those with the extension of a text.
        held_out_mb: Maximum size of the validation text, MB (10^6 bytes), and of the test text: of
            large texts the fractions are too much to evaluate on repeatedly. Null: no limit.
        next_sentence: Whether samples are pairs of passages, for BERT.
        denoising: Whether tokens are reserved for a task that reconstructs windows.

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
    opened, converted = utf8_files(files, folder, context.root)
    documents = [_document(file) for file in opened]
    split = _limited(context.split, held_out_mb, total_size(documents))
    if len(files) < MIN_FILES:
        splits = _split_each_file(opened, split)
    else:
        splits = split_items(documents, split)
    dataset = token_dataset(
        "text", splits, context, block_size, documents, next_sentence, denoising
    )
    copies = _note_copies(files) if len(files) >= MIN_FILES and context.is_new else []
    dataset.notes += notes + copies + converted
    return dataset


def _note_copies(files: Sequence[Path]) -> list[str]:
    """A note on files that may be in two splits since they are two."""
    if not (copies := repeated(files)):
        return []
    first, second = (files[i] for i in copies[0][:2])
    number = sum(len(group) - 1 for group in copies)
    return [
        f"{number:,} of {len(files):,} files are copies of others, which may be in another split "
        f"and make its score better, as {first} = {second}"
    ]


def _document(file: TextFile, start: int | None = None, stop: int | None = None) -> Document:
    """A file's text, or that from byte `start` to `stop`."""
    path = file.path
    start = first_byte(path) if start is None else start
    stop = path.stat().st_size if stop is None else stop
    text, raw = partial(pieces, path, start, stop), partial(raw_pieces, path, start, stop)
    return Document(file.name, stop - start, text, raw)


def _limited(split: Split, held_out_mb: float | None, size: int) -> Split:
    """The same split with fractions of at most `held_out_mb` each, of a text of `size` bytes."""
    if held_out_mb is None or split.folds is not None:
        return split
    limit = held_out_mb * 1e6 / size
    return replace(
        split,
        val_fraction=min(split.val_fraction, limit),
        test_fraction=min(split.test_fraction, limit),
    )


def _split_each_file(files: Sequence[TextFile], split: Split) -> Documents:
    """Each file cut in three, at ends of lines: train, then val, then test."""
    if split.folds is not None:
        raise UserError(
            f"data.folds={split.folds}: expected {MIN_FILES} files or more for folds, got "
            f"{len(files)}"
        )
    splits: dict[str, list[Document]] = {"train": [], "val": [], "test": []}
    for file in files:
        begin, end = first_byte(file.path), file.path.stat().st_size
        test, val = split.test_fraction * (end - begin), split.val_fraction * (end - begin)
        test_start = line_boundary(file.path, end - int(test), int(test / 2))
        val_start = line_boundary(file.path, end - int(test + val), int(val / 2))
        marks = [begin, min(test_start, val_start), test_start, end]
        for name, start, stop in zip(splits, marks, marks[1:], strict=False):
            splits[name].append(_document(file, start, stop))
    return splits
