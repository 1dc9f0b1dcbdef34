"""Console output of a run: a header, progress, a closing table, the next commands.

On a terminal progress is a bar; elsewhere, and in train.log, plain lines.
"""

import sys
import time
from pathlib import Path
from typing import Any

QUIET_SECONDS = 10  # between plain training lines
REFRESH_SECONDS = 0.1


class Console:
    """Prints for rank 0 and keeps a copy in train.log; the other ranks print nothing."""

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self._log: Path | None = None
        self._bar: Any = None
        self._last_line = self._refreshed = 0.0
        self._shown: dict[str, str] = {}
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
        if not self.enabled:
            return
        if self._bar is not None:
            self._bar.write(text, file=sys.stdout)
        else:
            print(text, flush=True)

    def log(self, text: str) -> None:
        """Write a line to train.log alone: what is too long for a screen."""
        self._keep(text)

    def _keep(self, text: str) -> None:
        if self.enabled and self._log is not None:
            with self._log.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text + "\n")

    def warn(self, text: str) -> None:
        """Print a warning."""
        self.line(f"warning: {text}")

    def warn_once(self, text: str) -> None:
        """Print a warning, unless the same was printed before."""
        if text not in self._warned:
            self._warned.add(text)
            self.warn(text)

    def table(self, rows: list[tuple[str, ...]]) -> None:
        """Print columns aligned, the first row a heading."""
        widths = [max(map(len, column)) for column in zip(*rows)]
        for row in rows:
            first, *rest = (cell.rjust(width) for cell, width in zip(row, widths))
            self.line("  " + "  ".join([row[0].ljust(widths[0]), *rest]).rstrip())

    def begin(self, step: int, total: int) -> None:
        """Start showing progress."""
        self._total, self._last_line = total, time.perf_counter()
        if self.enabled and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, initial=step, unit="step", dynamic_ncols=True)

    def progress(self, step: int, seconds: float) -> None:
        """Called after every step; redraws the bar ten times a second at most."""
        if self._bar is not None and seconds - self._refreshed > REFRESH_SECONDS:
            self._refreshed = seconds
            self._bar.update(step - self._bar.n)

    def trained(self, step: int, metrics: dict[str, float], seconds: float) -> None:
        """The latest training metrics."""
        shown = {n: show(v) for n, v in metrics.items() if n != "grad_norm" and "/" not in n}
        if self._bar is not None:
            self._shown |= shown
            self._bar.set_postfix(self._shown, refresh=False)
        now = time.perf_counter()
        if now - self._last_line > QUIET_SECONDS:
            self._plain(f"{self._place(step)}  train  {spread(shown)}")

    def evaluated(self, step: int, metrics: dict[str, float], best: bool) -> None:
        """The metrics of a validation."""
        whole = {name: value for name, value in metrics.items() if "/" not in name}  # of no part
        shown = {name: show(value) for name, value in whole.items()}
        self._shown |= {f"val_{name}": value for name, value in shown.items()}
        if self._bar is not None:
            self._bar.set_postfix(self._shown, refresh=False)
        self._plain(f"{self._place(step)}  val    {spread(shown)}{'  best' if best else ''}")

    def _place(self, step: int) -> str:
        return f"step {step:>{len(str(self._total))}}/{self._total}"

    def _plain(self, text: str) -> None:
        """A line for logs; a terminal has its bar."""
        self._last_line = time.perf_counter()
        if self._bar is not None:
            self._keep(text)
        else:
            self.line(text)

    def end(self, step: int) -> None:
        """Leave the bar where it stands."""
        if self._bar is not None:
            self._bar.update(step - self._bar.n)
            self._bar.close()
            self._bar = None


def show(value: float) -> str:
    """A number in four significant digits."""
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.3g}"


def spread(metrics: dict[str, str]) -> str:
    """`loss 0.1234  accuracy 0.9876`."""
    return "  ".join(f"{name} {value}" for name, value in metrics.items())


def duration(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
