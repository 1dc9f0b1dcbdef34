"""Tables of text that fit the terminal."""

import re
from collections.abc import Sequence

from zoo.terminal import columns, pad, terminal_width

GAP = 2
MIN_WIDTH = 6  # columns that a column of the table keeps
LONG = 30  # columns; a longer word, such as a path, is broken before any other
# Where words are broken first: `val/|loss`, `max_|epochs`, `lr=|0.1`, `open-|source`, `0.98|±0.01`
BREAK = re.compile(r"(?<=[/_=,:])(?=[^/])|(?<=[a-z]-)(?=[a-z])|(?=±)")
NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?%?|nan|\.|")


def text_table(rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Align columns, numbers to the right; where the line is short, the widest columns wrap: at
    spaces, if that is not enough within words, and then within those of the first column, which
    are names to copy.

    Args:
        rows: The first is the heading.
        width: Characters in a line; None asks the terminal.
    """
    by_column = list(zip(*rows, strict=True))
    widths = [max(1, *map(columns, column)) for column in by_column]
    room = (width or terminal_width()) - GAP * (len(by_column) - 1)
    words, pieces = _longest(by_column, r"\s"), _longest(by_column, rf"\s|{BREAK.pattern}")
    for least in (words, [words[0], *pieces[1:]], [MIN_WIDTH] * len(widths)):
        _shrink(widths, room, least)
    right = [all(NUMBER.fullmatch(cell) for cell in column[1:]) for column in by_column]
    lines = []
    for row in rows:
        cells = [wrapped(cell, w) for cell, w in zip(row, widths, strict=True)]
        for k in range(max(map(len, cells))):
            texts = [cell[k] if k < len(cell) else "" for cell in cells]
            padded = [pad(*three) for three in zip(texts, widths, right, strict=True)]
            lines.append((" " * GAP).join(padded).rstrip())
    return "\n".join(lines)


def _longest(by_column: Sequence[Sequence[str]], separator: str) -> list[int]:
    """Columns of the longest part of each column of the table."""
    parts = [re.split(separator, "\n".join(column)) for column in by_column]
    return [max(MIN_WIDTH, min(LONG, max(map(columns, found)))) for found in parts]


def _shrink(widths: list[int], room: int, least: Sequence[int]) -> None:
    """Take from the widest columns until all fit, or have their least width."""
    while sum(widths) > room:
        wide = [k for k, width in enumerate(widths) if width > least[k]]
        if not wide:
            return
        widths[max(wide, key=widths.__getitem__)] -= 1


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, broken at spaces where there are any, else
    where BREAK says, else anywhere; at least one line."""
    if columns(text) <= width:
        return [re.sub(r"\s", " ", text).rstrip()]
    lines = [""]
    for word in text.split():
        if lines[-1] and columns(lines[-1]) + 1 + columns(word) <= width:
            lines[-1] += f" {word}"
            continue
        if lines[-1]:
            lines.append("")
        pieces = BREAK.split(word)
        for part in pieces if max(map(columns, pieces)) <= width else word:
            if lines[-1] and columns(lines[-1] + part) > width:
                lines.append("")
            lines[-1] += part
    return lines
