"""A few lines at the bottom of a terminal that are drawn again and again."""

from collections.abc import Sequence
from typing import TextIO

from zoo.text_table import terminal_width

BAR = 24  # letters
UP_AND_CLEAR = "\x1b[{}F\x1b[J"


class Live:
    """Lines that stay below what is printed: `clear` before printing anything else.

    Args:
        stream: A terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.drawn = stream, 0

    def draw(self, lines: Sequence[str]) -> None:
        """Put these in place of those before; what does not fit a line is cut."""
        width = terminal_width() - 1
        cut = [line if len(line) <= width else line[: width - 1] + "…" for line in lines]
        self._back()
        self.stream.write("".join(f"{line}\n" for line in cut))
        self.stream.flush()
        self.drawn = len(cut)

    def clear(self) -> None:
        """Take them away."""
        self._back()
        self.stream.flush()
        self.drawn = 0

    def _back(self) -> None:
        if self.drawn:
            self.stream.write(UP_AND_CLEAR.format(self.drawn))


def bar(share: float) -> str:
    """`[######......]`."""
    full = round(BAR * min(1.0, share))
    return f"[{'#' * full}{'.' * (BAR - full)}]"
