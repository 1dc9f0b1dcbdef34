"""What a terminal shows: the columns that a text takes, lines that fit, lines redrawn in place."""

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from typing import TextIO

BAR_WIDTH = 24  # characters
INDENT = " " * 4  # of the further lines of a command
SHELL_WORD = re.compile(r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+""")
# A command within a sentence up to what cannot be of it, or a word.
COMMAND_OR_WORD = re.compile(r"(?:python \S+\.py|pip install|zoo [a-z-]+) [^;()]*[^;()\s]\S*|\S+")
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


def cut_middle(text: str, width: int) -> str:
    """The text in at most `width` columns, with an ellipsis in place of its middle."""
    if columns(text) <= width:
        return text
    head = tail = text
    while columns(head) > width // 2:
        head = head[:-1]
    while columns(head) + 1 + columns(tail) > width:
        tail = tail[1:]
    return f"{head}…{tail}"


def pad(text: str, width: int, right: bool = False) -> str:
    """The text with spaces up to `width` columns, before it if it goes to the right."""
    spaces = " " * (width - columns(text))
    return spaces + text if right else text + spaces


def line_width(stream: TextIO) -> int | None:
    """Columns of a line on a terminal; None for files and pipes, where lines have any length."""
    return terminal_width() - 1 if is_live(stream) else None


def folded(text: str, width: int | None, first: str = "", indent: str = "  ") -> str:
    """A sentence in lines of whole words. A word is never broken, nor is a command, so that both
    can be copied.

    Args:
        text: One line.
        width: Columns; None leaves it as it is.
        first: Begins the first line, and is part of its width.
        indent: Begins the others.
    """
    if width is None or columns(first + text) <= width:
        return f"{first}{text}"
    return "\n".join(_packed(COMMAND_OR_WORD.findall(text), width, first, indent))


def command_lines(label: str, command: str, width: int | None) -> str:
    """A command behind a label, on a narrow terminal in several lines that can be pasted: all but
    the last end in a backslash. Windows' shells do not know that, and get one line.

    Args:
        label: What it does.
        command: For a shell.
        width: Columns; None leaves it in one line.
    """
    if width is None or os.name == "nt" or columns(label + command) <= width:
        return f"{label}{command}"
    lines = _packed(SHELL_WORD.findall(command), width - 2, label, INDENT)
    return " \\\n".join(lines)


def _packed(words: Sequence[str], width: int, first: str, indent: str) -> list[str]:
    """Words in lines of at most `width` columns, those apart that are longer."""
    lines = [first.rstrip()]
    gap = first[len(lines[0]) :]
    for word in words:
        if columns(lines[-1]) + len(gap) + columns(word) <= width:
            lines[-1] += gap + word
        else:
            lines.append(indent + word)
        gap = " "
    return lines


def remark(text: str) -> None:
    """Print an error, a warning or a note, to the standard error stream, so that JSON stays JSON:
    one line, on a terminal folded where it is too long for one."""
    print(folded(text, line_width(sys.stderr)), file=sys.stderr)


def warn(text: str) -> None:
    """Print a warning, likewise."""
    remark(f"warning: {text}")


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
