"""Console output of a run: a header, progress, a closing table, the next commands.

On a terminal progress is a bar; elsewhere, and in train.log, plain lines.
"""

import sys
import textwrap
import time
from pathlib import Path
from typing import Any

from zoo.terminal import columns, command_lines, folded, is_live, line_width, pad, terminal_width
from zoo.text_table import text_table
from zoo.training.progress_bar import ProgressBar

LABEL = 11  # columns of the names in a header
QUIET_SECONDS = 10  # between plain training lines


class Console:
    """Prints for rank 0 and keeps a copy in train.log; the other ranks print nothing."""

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self._log: Path | None = None
        self._bar: ProgressBar | None = None
        self._last_line, self._monitor = 0.0, "loss"
        self._warned: set[str] = set()
        self._total = 0
        self.precision_reason = ""
        self.weights: Any = None  # outcome of loading the initial weights

    def log_to(self, path: Path) -> None:
        """Also write what is printed to a file, from now on."""
        self._log = path

    def line(self, text: str = "") -> None:
        """Print a line."""
        self._keep(text)
        if self.enabled:
            self._print(text)

    def _print(self, text: str) -> None:
        """On the screen alone, above the bar."""
        if self._bar is not None:
            self._bar.clear()
        print(text, flush=True)

    def log(self, text: str) -> None:
        """Write a line to train.log alone: what is too long for a screen."""
        self._keep(text)

    def _keep(self, text: str) -> None:
        if self.enabled and self._log is not None:
            with self._log.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text + "\n")

    def entry(self, label: str, text: str) -> None:
        """A named line of the header, on a terminal in as many lines below one another as it takes;
        in train.log and on pipes it is one."""
        label = f"{label:<{LABEL}}"
        self._both(f"{label}{text}", folded(text, self._width(), label, " " * LABEL))

    def command(self, label: str, command: str) -> None:
        """A command to type next, which can be pasted however narrow the terminal is."""
        self._both(f"{label}{command}", command_lines(label, command, self._width()))

    def _width(self) -> int | None:
        return line_width(sys.stdout) if self.enabled else None

    def _both(self, line: str, shown: str) -> None:
        """A line as train.log has it, and as the screen shows it."""
        self._keep(line)
        if self.enabled:
            self._print(shown)

    def warn(self, text: str) -> None:
        """Print a warning."""
        self._both(f"warning: {text}", folded(f"warning: {text}", self._width()))

    def warn_once(self, text: str) -> None:
        """Print a warning, unless the same was printed before."""
        if text not in self._warned:
            self._warned.add(text)
            self.warn(text)

    def table(self, rows: list[tuple[str, ...]]) -> None:
        """Print columns aligned, the first row a heading; where the terminal is too narrow for
        them, cells wrap."""
        widths = [max(map(columns, column)) for column in zip(*rows)]
        lines = []
        for row in rows:
            _, *rest = (pad(cell, width, True) for cell, width in zip(row, widths))
            lines.append("  " + "  ".join([pad(row[0], widths[0]), *rest]).rstrip())
        whole = narrow = "\n".join(lines)
        if (width := self._width()) and max(map(columns, lines)) > width:
            narrow = textwrap.indent(text_table(rows, width - 2), "  ")
        self._both(whole, narrow)

    def begin(
        self,
        step: int,
        seconds: float,
        total: int,
        monitor: str = "-loss",
        minutes: float | None = None,
    ) -> None:
        """Start showing progress.

        Args:
            step: Where training starts.
            seconds: Of training so far.
            total: Steps of the budget.
            monitor: The task's, whose metric a terminal shows first.
            minutes: Limit of training, or None.
        """
        self._total, self._last_line = total, time.perf_counter()
        self._monitor = monitor.removeprefix("-")
        if self.enabled and is_live(sys.stderr):
            limit = 60 * minutes if minutes else None
            self._bar = ProgressBar(sys.stderr, step, total, seconds, limit)

    def progress(self, step: int, seconds: float) -> None:
        """Called after every step; redraws the bar ten times a second at most."""
        if self._bar is not None:
            self._bar.update(step, seconds)

    def trained(self, step: int, metrics: dict[str, float], seconds: float) -> None:
        """Show the latest training metrics: in the bar of a terminal; elsewhere, and in the log, as
        a line, if there was none for a while."""
        shown = {n: show(v) for n, v in metrics.items() if n != "grad_norm" and "/" not in n}
        if self._bar is not None:
            self._bar.loss = f"loss {shown['loss']}"
        now = time.perf_counter()
        if now - self._last_line > QUIET_SECONDS:
            self._last_line = now
            text = f"{self._place(step)}  train  {spread(shown)}"
            self.log(text) if self._bar is not None else self.line(text)

    def evaluated(self, step: int, metrics: dict[str, float], best: bool) -> None:
        """Print the metrics of a validation; on a terminal, only those that fit in the line."""
        whole = {name: value for name, value in metrics.items() if "/" not in name}  # without parts
        shown = {name: show(value) for name, value in whole.items()}
        place, mark = f"{self._place(step)}  val    ", "  best" * best
        text = f"{place}{spread(shown)}{mark}"
        self._last_line = time.perf_counter()
        if self._bar is None:
            self.line(text)
            return
        if self._monitor in shown:
            self._bar.score = self._monitor, shown[self._monitor]
        self.log(text)
        names = dict.fromkeys([name for name in ("loss", self._monitor) if name in shown])
        for name in shown:
            more = spread({n: shown[n] for n in shown if n in names or n == name})
            if columns(f"{place}{more}{mark}") < terminal_width():
                names[name] = None
        self._print(f"{place}{spread({n: shown[n] for n in shown if n in names})}{mark}")
        self._bar.redraw()

    def _place(self, step: int) -> str:
        return f"step {step:>{len(str(self._total))}}/{self._total}"

    def end(self, step: int) -> None:
        """Remove the bar; the lines of the validations stay."""
        if self._bar is not None:
            self._bar.clear()
            self._bar = None


def show(value: float) -> str:
    """A number for people: four decimals, fewer for large numbers (`58,341`), e-notation for tiny
    or huge ones. What programs read, and what is predicted, is not rounded like this."""
    size = abs(value)
    if value == 0 or not 1e-3 <= size < 1e12:
        return f"{value:.3g}"
    decimals = next(n for n, least in ((0, 1e4), (1, 1e3), (2, 1e2), (4, 0)) if size >= least)
    return f"{value:,.{decimals}f}"


def exact(value: float) -> str:
    """A predicted number, in the digits that a float32 has: `583412.2`."""
    text = f"{value:.7g}"
    return f"{value:.0f}" if "e+" in text and abs(value) < 1e15 else text


def spread(metrics: dict[str, str]) -> str:
    """`loss 0.1234  accuracy 0.9876`."""
    return "  ".join(f"{name} {value}" for name, value in metrics.items())


def duration(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
