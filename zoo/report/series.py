"""The losses and metrics of a run as series to draw, long ones by their extremes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from zoo.errors import UserError
from zoo.runs.metrics_file import read_rows

MAX_POINTS = 600  # of a series; with more, the extremes of stretches are kept
Point = tuple[int, float]


@dataclass(frozen=True)
class Series:
    """A line of a chart.

    Attributes:
        name: Its label.
        points: (step, value) by step; nan where the value was not finite.
        kind: Its look: the split, or `s1`, `s2` ... for a line of a comparison.
        band: (step, low, high) around it, if any.
        total: How many points were measured.
    """

    name: str
    points: Sequence[Point]
    kind: str
    band: Sequence[tuple[int, float, float]] = ()
    total: int = 0

    @property
    def values(self) -> list[float]:
        """The finite values."""
        return [value for _, value in self.points if math.isfinite(value)]


def decimated(points: Sequence[Point]) -> Sequence[Point]:
    """At most about `MAX_POINTS`: the first, last, smallest and largest of equal stretches.

    A spike of one step is kept, and so is a value that is not finite: a line through the rest
    would hide it.
    """
    if len(points) <= MAX_POINTS:
        return points
    first, last = points[0][0], points[-1][0]
    width = (last - first + 1) / (MAX_POINTS / 4)
    kept: list[Point] = []
    for _, stretch in groupby(points, lambda point: int((point[0] - first) / width)):
        of_stretch = list(stretch)
        finite = [point for point in of_stretch if math.isfinite(point[1])]
        extremes = [f(finite, key=itemgetter(1)) for f in (min, max)] if finite else []
        lost = next((point for point in of_stretch if not math.isfinite(point[1])), None)
        chosen = [of_stretch[0], of_stretch[-1], *extremes, *([lost] if lost else [])]
        kept += sorted({point[0]: point for point in chosen}.values())
    return kept


def read(file: Path) -> tuple[dict[str, dict[str, list[Point]]], str | None]:
    """The points of a metrics.jsonl by metric and split, and why some are missing."""
    found: dict[str, dict[str, list[Point]]] = {}
    try:
        for row in read_rows(file):
            step, split = row["step"], row["split"]
            for name, value in row.items():
                if isinstance(value, int | float) and name != "step":
                    found.setdefault(name, {}).setdefault(split, []).append((step, value))
    except UserError as error:
        return found, str(error)
    return found, None
