"""Progress of something slow: a bar on a terminal, a few plain lines elsewhere."""

import sys
from types import TracebackType


class Progress:
    """Counts up to `total`; a context manager.

    Args:
        text: What is going on: "downloading cifar-10-binary.tar.gz".
        total: How much there is, None when not known.
        unit: "B" (shown as kB, MB), "files" ...
    """

    def __init__(self, text: str, total: int | None, unit: str) -> None:
        self.text, self.total, self.unit = text, total, unit
        self._done = self._quarter = 0
        self._bar = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            scale = unit == "B"
            self._bar = tqdm(
                desc=text, total=total, unit=unit, unit_scale=scale, leave=False, file=sys.stderr
            )
        else:
            amount = "" if total is None else f" ({self._spell(total)})"
            print(f"{text}{amount}", file=sys.stderr, flush=True)

    def update(self, amount: int) -> None:
        """Count `amount` more."""
        self._done += amount
        if self._bar is not None:
            self._bar.update(amount)
        elif self.total and (quarter := 4 * self._done // self.total) > self._quarter:
            self._quarter = quarter
            print(f"{self.text}: {min(100, 25 * quarter)} %", file=sys.stderr, flush=True)

    def _spell(self, amount: int) -> str:
        return f"{amount / 1e6:.1f} MB" if self.unit == "B" else f"{amount:,} {self.unit}"

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
