"""The user's own pairs of texts: a file of lines `source TAB target`, or two parallel files."""

from pathlib import Path

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.paths import not_found
from zoo.data.text.pairs import Pair, pair_dataset, split_pairs
from zoo.errors import UserError
from zoo.files import user_path
from zoo.registry import DATASETS


@DATASETS.register("pairs", uses=("tokenizer",), needs="files")
def pairs(
    context: DataContext,
    path: str | None = None,
    source: str | None = None,
    target: str | None = None,
    max_length: int | None = 128,
) -> Dataset:
    """Pairs of lines of UTF-8 text; pairs with the same source are in the same split.

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
    if path is not None and source is None and target is None:
        lines = read_table(user_path(path))
    elif path is None and source is not None and target is not None:
        lines = read_parallel(user_path(source), user_path(target))
    else:
        options = {"data.path": path, "data.source": source, "data.target": target}
        named = " and ".join(name for name, value in options.items() if value is not None)
        raise UserError(
            f"data=pairs: got {named or 'no file'}, expected data.path=<file of lines source TAB "
            "target>, or data.source=<file> data.target=<file> with one text per line"
        )
    splits = split_pairs(lines, context)
    return pair_dataset(path or f"{source}, {target}", splits, context, max_length)


def read_table(path: Path) -> list[Pair]:
    """The pairs of a file of lines `source TAB target`.

    Raises:
        UserError: A line with no tab, with several, or with an empty side.
    """
    pairs = []
    for number, line in enumerate(read_lines(path), start=1):
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


def read_parallel(source: Path, target: Path) -> list[Pair]:
    """The pairs of two files with as many lines.

    Raises:
        UserError: Files of unequal length, empty lines.
    """
    sides = [[line.strip() for line in read_lines(path)] for path in (source, target)]
    if len(sides[0]) != len(sides[1]):
        raise UserError(
            f"{source} has {len(sides[0]):,} lines, {target} has {len(sides[1]):,}; expected as "
            "many, since lines of the same number are a pair"
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


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file; only line feeds separate them, and those at the end are ignored.

    Raises:
        UserError: No such file, empty, not UTF-8, with the offset.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise not_found(path) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        text = raw.decode("utf-8-sig").rstrip("\n\r")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}, line {line}: not UTF-8 (byte 0x{raw[error.start]:02x} at offset "
            f"{error.start}); save the file as UTF-8"
        ) from None
    if not text.strip():
        raise UserError(f"{path}: the file is empty; expected one text per line")
    return text.split("\n")
