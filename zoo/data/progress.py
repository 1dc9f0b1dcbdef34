"""Progress of slow work: a bar on a terminal, elsewhere a plain line every few seconds."""

import sys
import time
from types import TracebackType
from typing import Any

SECONDS = 5.0  # between plain lines


class Progress:
    """Counts up to `total`; a context manager.

    Args:
        text: The work: "downloading cifar-10-binary.tar.gz".
        total: The final count, None when not known.
        unit: "B" (shown as kB, MB), "files" ...
    """

    def __init__(self, text: str, total: int | None, unit: str) -> None:
        self.text, self.total, self.unit = text, total, unit
        self._done, self._reported = 0, time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            scale = unit == "B"
            self._bar = tqdm(
                desc=text, total=total, unit=unit, unit_scale=scale, leave=False, file=sys.stderr
            )

    def update(self, amount: int) -> None:
        """Count `amount` more."""
        self._done += amount
        if self._bar is not None:
            self._bar.update(amount)
        elif time.monotonic() - self._reported > SECONDS:
            self._reported = time.monotonic()
            percent = f" ({100 * self._done // self.total} %)" if self.total else ""
            print(f"{self.text}: {self._format_count()}{percent}", file=sys.stderr, flush=True)

    def _format_count(self) -> str:
        return f"{self._done / 1e6:.1f} MB" if self.unit == "B" else f"{self._done:,} {self.unit}"

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
