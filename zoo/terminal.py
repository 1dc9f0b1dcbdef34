"""What a terminal shows: the columns that a text takes, and lines that are redrawn in place."""

import os
import shutil
import unicodedata
from collections.abc import Sequence
from typing import TextIO

BAR_WIDTH = 24  # characters
UP_AND_CLEAR = "\x1b[{}F\x1b[J"


def terminal_width() -> int:
    """Characters in a line; 100 where there is no terminal and COLUMNS is not set."""
    return shutil.get_terminal_size((100, 24)).columns


def is_live(stream: TextIO) -> bool:
    """Whether lines of a stream can be redrawn: a terminal that moves its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def columns(text: str) -> int:
    """Columns that a text takes: two for Chinese, Japanese, Korean and emoji, none for marks."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """The text in at most `width` columns, with an ellipsis where it was longer."""
    if columns(text) <= width:
        return text
    while text and columns(text) > width - 1:
        text = text[:-1]
    return f"{text}…"


def pad(text: str, width: int, right: bool = False) -> str:
    """The text with spaces up to `width` columns, before it if it goes to the right."""
    spaces = " " * (width - columns(text))
    return spaces + text if right else text + spaces


class TerminalLines:
    """Lines that stay below all other output: call `clear` before printing anything else.

    Args:
        stream: A terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.drawn = stream, 0

    def draw(self, lines: Sequence[str]) -> None:
        """Replace the lines drawn before; lines that are too long are cut."""
        width = terminal_width() - 1
        erase = UP_AND_CLEAR.format(self.drawn) if self.drawn else ""
        self.stream.write(erase + "".join(f"{cut(line, width)}\n" for line in lines))
        self.stream.flush()
        self.drawn = len(lines)

    def clear(self) -> None:
        """Remove the lines."""
        if self.drawn:
            self.stream.write(UP_AND_CLEAR.format(self.drawn))
        self.stream.flush()
        self.drawn = 0


def bar(fraction: float, width: int = BAR_WIDTH) -> str:
    """`[######......]`, with `width` characters between the brackets."""
    filled = round(width * min(1.0, fraction))
    return f"[{'#' * filled}{'.' * (width - filled)}]"
