"""The line at the bottom of a terminal while a run trains, in as many columns as there are.

[#########...........]  300/787  loss 0.5470  val accuracy 0.9833  145 steps/s  3 s left
"""

from collections import deque
from collections.abc import Iterator
from typing import TextIO

from zoo.terminal import TerminalLines, bar, columns, terminal_width

REFRESH_SECONDS = 0.1
WINDOW_SECONDS = 30  # over which the rate is measured; validations are part of it
LEAST, MOST = 20, 40  # columns between the brackets


class ProgressBar:
    """A bar with the training loss, the monitored metric, the rate and the time left.

    Args:
        stream: A terminal.
        step: Where training starts.
        total: Steps of the budget.
        seconds: Of training so far.
        limit: Seconds after which training ends, or None.
    """

    def __init__(
        self, stream: TextIO, step: int, total: int, seconds: float, limit: float | None
    ) -> None:
        self.total, self.limit = total, limit
        self.loss = ""  # "loss 0.5470"
        self.score: tuple[str, str] | None = None  # "accuracy", "0.9833"
        self._lines = TerminalLines(stream)
        self._points = deque([(seconds, step)])

    def update(self, step: int, seconds: float, at_once: bool = False) -> None:
        """Redraw, ten times a second at most unless `at_once`."""
        if not at_once and seconds - self._points[-1][0] < REFRESH_SECONDS:
            return
        self._points.append((seconds, step))
        while seconds - self._points[0][0] > WINDOW_SECONDS and len(self._points) > 2:
            self._points.popleft()
        self.redraw()

    def redraw(self) -> None:
        """Draw the bar as it was last, after other output."""
        self._lines.draw([self.text(terminal_width() - 1)])

    def clear(self) -> None:
        """Make room for other output; the next update draws the bar anew."""
        self._lines.clear()

    def text(self, width: int) -> str:
        """The line: what matters least is shortened, then left out, until it fits.

        Args:
            width: Columns.
        """
        seconds, step = self._points[-1]
        fraction = step / self.total
        if self.limit:
            fraction = max(fraction, seconds / self.limit)
        for facts in self._facts(step, seconds, fraction):
            right = "  ".join(fact for fact in facts if fact)
            room = width - columns(right) - 4  # two brackets, two spaces
            if room >= LEAST:
                break
        return f"{bar(fraction, max(4, min(room, MOST)))}  {right}"

    def _facts(self, step: int, seconds: float, fraction: float) -> Iterator[tuple[str, ...]]:
        """The facts to the right of the bar, from the most to the fewest."""
        started, first = self._points[0]
        rate = (step - first) / (seconds - started) if seconds > started else 0.0
        speed, short = _speed(rate, "steps", "step"), _speed(rate, "", "step")
        count, percent = f"{step:,}/{self.total:,}", f"{fraction:.0%}"
        score = f"val {self.score[0]} {self.score[1]}" if self.score else ""
        value = f"val {self.score[1]}" if self.score else ""
        left = _left(self._seconds_left(step, seconds, rate))
        yield count, self.loss, score, speed, left
        yield percent, self.loss, score, speed, left
        yield percent, self.loss, score, short, left
        yield self.loss, score, short, left
        yield self.loss, value, short, left
        yield self.loss, value, left
        yield self.loss, left
        yield (percent,)

    def _seconds_left(self, step: int, seconds: float, rate: float) -> float | None:
        ends = [(self.total - step) / rate] if rate else []
        ends += [max(0.0, self.limit - seconds)] if self.limit else []
        return min(ends, default=None)


def _speed(rate: float, many: str, one: str) -> str:
    """`145 steps/s`, `12.3 steps/s`, `4.1 s/step`; with `many` empty, `145/s`."""
    if not rate:
        return ""
    if rate < 1:
        return f"{1 / rate:.{0 if rate < 0.1 else 1}f} s/{one}"
    return f"{rate:,.{0 if rate >= 100 else 1}f}{' ' * bool(many)}{many}/s"


def _left(seconds: float | None) -> str:
    """`42 s left`, `3:20 left`, `2:05:00 left`, `9 d left`."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s left"
    hours, minutes = divmod(minutes, 60)
    if hours >= 100:
        return f"{hours // 24} d left"
    clock = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{clock}:{rest:02} left"
