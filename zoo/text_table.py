"""Tables of text that fit the terminal."""

import re
import shutil
import textwrap
from collections.abc import Sequence

GAP = 2
MIN_WIDTH = 6  # characters that a column keeps
NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?%?|nan|\.|")


def terminal_width() -> int:
    """Characters in a line; 100 where there is no terminal and COLUMNS is not set."""
    return shutil.get_terminal_size((100, 24)).columns


def text_table(rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Align columns, numbers to the right; where the line is short, the widest columns wrap.

    Args:
        rows: The first is the heading.
        width: Characters in a line; None asks the terminal.
    """
    columns = list(zip(*rows, strict=True))
    widths = [max(1, *map(len, column)) for column in columns]
    room = (width or terminal_width()) - GAP * (len(columns) - 1)
    while sum(widths) > room and max(widths) > MIN_WIDTH:
        widths[widths.index(max(widths))] -= 1
    right = [all(NUMBER.fullmatch(cell) for cell in column[1:]) for column in columns]
    lines = []
    for row in rows:
        pairs = zip(row, widths, strict=True)
        cells = [textwrap.wrap(c, w, break_on_hyphens=False) or [""] for c, w in pairs]
        for k in range(max(map(len, cells))):
            texts = [cell[k] if k < len(cell) else "" for cell in cells]
            padded = [
                text.rjust(w) if to_right else text.ljust(w)
                for text, w, to_right in zip(texts, widths, right, strict=True)
            ]
            lines.append((" " * GAP).join(padded).rstrip())
    return "\n".join(lines)
