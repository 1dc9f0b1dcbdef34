"""The user's own pairs of texts: a file of lines `source TAB target`, or two parallel files."""

from pathlib import Path

from zoo.data.charset import read_text
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.text.pairs import Pair, pair_dataset, split_pairs
from zoo.errors import UserError
from zoo.files import user_path
from zoo.phrases import plural
from zoo.registry import DATASETS


@DATASETS.register("pairs", uses=("tokenizer",), needs="files")
def pairs(
    context: DataContext,
    path: str | None = None,
    source: str | None = None,
    target: str | None = None,
    max_length: int | None = 128,
) -> Dataset:
    """Pairs of lines of text; pairs with the same source are in the same split.

    Args:
        context: The shared settings.
        path: A file of lines with a tab between source and target.
        source, target: Instead of it two files with one text per line; equal line numbers are a
            pair.
        max_length: Maximum number of tokens of either side; longer pairs are left out. None for
            no limit.
    """
    if max_length is not None and max_length < 3:
        raise UserError(f"data.max_length={max_length}: expected 3 or more, or null")
    notes: list[str] = []
    if path is not None and source is None and target is None:
        lines = read_table(user_path(path), notes)
    elif path is None and source is not None and target is not None:
        lines = read_parallel(user_path(source), user_path(target), notes)
    else:
        options = {"data.path": path, "data.source": source, "data.target": target}
        named = " and ".join(name for name, value in options.items() if value is not None)
        raise UserError(
            f"data=pairs: got {named or 'no file'}, expected data.path=<file of lines source TAB "
            "target>, or data.source=<file> data.target=<file> with one text per line"
        )
    splits = split_pairs(lines, context)
    dataset = pair_dataset(path or f"{source}, {target}", splits, context, max_length)
    dataset.notes.extend(notes)
    return dataset


def read_table(path: Path, notes: list[str]) -> list[Pair]:
    """The pairs of a file of lines `source TAB target`; notes are added to the list.

    Raises:
        UserError: A line with no tab, with several, or with an empty side.
    """
    pairs = []
    for number, line in enumerate(read_lines(path, notes), start=1):
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != 2:
            tabs = "no tab" if len(cells) == 1 else f"{len(cells) - 1} tabs"
            raise UserError(
                f"{path}, line {number}: {tabs}, expected one, between source and target"
                + ("" if len(cells) == 1 else "; cut -f1,2 keeps the first two columns")
            )
        pairs.append((cells[0], cells[1]))
    _check_sides(pairs, [str(path)] * 2)
    return pairs


def read_parallel(source: Path, target: Path, notes: list[str]) -> list[Pair]:
    """The pairs of two files with as many lines; notes are added to the list.

    Raises:
        UserError: Files of unequal length, empty lines.
    """
    sides = [[line.strip() for line in read_lines(path, notes)] for path in (source, target)]
    if len(sides[0]) != len(sides[1]):
        raise UserError(
            f"{source} has {plural(len(sides[0]), 'line')}, {target} has {len(sides[1]):,}; "
            "expected as many, since lines of the same number are a pair"
        )
    pairs = list(zip(*sides, strict=True))
    _check_sides(pairs, [str(source), str(target)])
    return pairs


def _check_sides(pairs: list[Pair], names: list[str]) -> None:
    for number, pair in enumerate(pairs, start=1):
        for side, name, text in zip(("source", "target"), names, pair, strict=True):
            if not text:
                raise UserError(
                    f"{name}, line {number}: the {side} is empty; fill it in, or remove the line"
                    + (" of both files" if names[0] != names[1] else "")
                )


def read_lines(path: Path, notes: list[str]) -> list[str]:
    """The lines of a file; only line feeds separate them, and those at the end are ignored.

    Args:
        path: A text in any usual encoding, perhaps compressed.
        notes: A line is added where the encoding is not UTF-8.

    Raises:
        UserError: No such file, empty, in an unknown encoding, with the offset.
    """
    content = read_text(path)
    notes += content.notes
    if not (text := content.text.rstrip("\n\r")).strip():
        raise UserError(f"{path}: the file is empty; expected one text per line")
    return text.split("\n")
