"""Lines at the bottom of a terminal that are redrawn in place."""

from collections.abc import Sequence
from typing import TextIO

from zoo.text_table import terminal_width

BAR_WIDTH = 24  # characters
UP_AND_CLEAR = "\x1b[{}F\x1b[J"


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
        cut = [line if len(line) <= width else line[: width - 1] + "…" for line in lines]
        self._erase()
        self.stream.write("".join(f"{line}\n" for line in cut))
        self.stream.flush()
        self.drawn = len(cut)

    def clear(self) -> None:
        """Remove the lines."""
        self._erase()
        self.stream.flush()
        self.drawn = 0

    def _erase(self) -> None:
        if self.drawn:
            self.stream.write(UP_AND_CLEAR.format(self.drawn))


def bar(fraction: float) -> str:
    """`[######......]`."""
    filled = round(BAR_WIDTH * min(1.0, fraction))
    return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}]"
