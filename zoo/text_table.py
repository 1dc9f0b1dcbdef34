"""Tables of text that fit the terminal."""

import re
from collections.abc import Sequence

from zoo.terminal import columns, pad, terminal_width

GAP = 2
MIN_WIDTH = 6  # columns that a column of the table keeps
NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?%?|nan|\.|")


def text_table(rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Align columns, numbers to the right; where the line is short, the widest columns wrap.

    Args:
        rows: The first is the heading.
        width: Characters in a line; None asks the terminal.
    """
    by_column = list(zip(*rows, strict=True))
    widths = [max(1, *map(columns, column)) for column in by_column]
    room = (width or terminal_width()) - GAP * (len(by_column) - 1)
    while sum(widths) > room and max(widths) > MIN_WIDTH:
        widths[widths.index(max(widths))] -= 1
    right = [all(NUMBER.fullmatch(cell) for cell in column[1:]) for column in by_column]
    lines = []
    for row in rows:
        cells = [wrapped(cell, w) for cell, w in zip(row, widths, strict=True)]
        for k in range(max(map(len, cells))):
            texts = [cell[k] if k < len(cell) else "" for cell in cells]
            padded = [pad(*three) for three in zip(texts, widths, right, strict=True)]
            lines.append((" " * GAP).join(padded).rstrip())
    return "\n".join(lines)


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, broken at spaces where there are any; at
    least one line."""
    if columns(text) <= width:
        return [re.sub(r"\s", " ", text).rstrip()]
    lines = [""]
    for word in text.split():
        if lines[-1] and columns(lines[-1]) + 1 + columns(word) <= width:
            lines[-1] += f" {word}"
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if lines[-1] and columns(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
    return lines
