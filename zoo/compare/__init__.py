"""Runs ranked and compared: `zoo.compare([...])` in Python, `scripts/compare.py` as a command.

The package can be called, as its name is that of the function too.
"""

import os
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.compare.ranked import RankedRuns

Path = str | os.PathLike[str]


class _Callable(ModuleType):
    """This package, with what `zoo.compare(...)` calls."""

    def __call__(
        self,
        runs: Path | Iterable[Path],
        metric: str | None = None,
        group_by: Iterable[str] = ("seed",),
    ) -> "RankedRuns":
        """As `zoo.compare.ranked.compare`."""
        from zoo.compare.ranked import compare

        return compare(runs, metric, group_by)


sys.modules[__name__].__class__ = _Callable
