"""Where the values of a setting stand on an axis: for pictures, and for a forest to split."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from zoo.runs.settings import ABSENT, spell

WIDE = 8.0  # largest over smallest value, from which an axis may be logarithmic
CROWD = 8  # different values that are all named
NEAR = 0.05  # names closer than that would touch


@dataclass(frozen=True)
class Scale:
    """An axis from 0 to 1.

    Attributes:
        name: What is on it.
        positions: Of each run's value.
        ticks: (position, text) of what is named on it.
        kind: `linear`, `log`, or `words`.
    """

    name: str
    positions: list[float]
    ticks: list[tuple[float, str]]
    kind: str


def scale(name: str, values: Sequence[Any]) -> Scale:
    """Numbers by size, on a logarithmic axis where they lie on that more evenly; all else as words.

    A number that a run lacks (`null`, or no such setting) stands below the others.
    """
    lacking = [value is None or value == ABSENT for value in values]
    numbers = [value for value, lacks in zip(values, lacking) if not lacks]
    numeric = all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
    if not numbers or not numeric:
        words = sorted({spell(value) for value in values})
        at = {
            word: (k / (len(words) - 1) if len(words) > 1 else 0.5) for k, word in enumerate(words)
        }
        ticks = [(place, word) for word, place in at.items()]
        return Scale(name, [at[spell(value)] for value in values], ticks, "words")
    low, high, named = min(numbers), max(numbers), sorted(set(numbers))
    log = _logarithmic(named)
    floor = 0.15 if any(lacking) else 0.0

    def place(value: float) -> float:
        share = _share(value, low, high, log) if high > low else 0.5
        return floor + (1 - floor) * share

    positions = [0.0 if lacks else place(v) for v, lacks in zip(values, lacking)]
    if len(named) > CROWD:
        named = decades(low, high) if log else even(low, high)
    ticks = apart([(place(number), spell(_round(number))) for number in named])
    if any(lacking):
        ticks.insert(0, (0.0, "null" if None in values else ABSENT))
    return Scale(name, positions, ticks, "log" if log else "linear")


def _share(value: float, low: float, high: float, log: bool) -> float:
    return math.log(value / low, high / low) if log else (value - low) / (high - low)


def _logarithmic(numbers: Sequence[float]) -> bool:
    """Whether different numbers, sorted, span much and lie more evenly on a logarithmic axis."""
    low, high = numbers[0], numbers[-1]
    if low <= 0 or high / low < WIDE:
        return False
    plain, log = (
        abs(median(_share(n, low, high, way) for n in numbers) - 0.5) for way in (False, True)
    )
    return log <= plain


def decades(low: float, high: float) -> list[float]:
    """The ends, and powers of ten between them (with their halves, where there are few)."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    tens = [10.0**k for k in range(first, last + 1)]
    halves = [k * ten for ten in (10.0 ** (first - 1), *tens) for k in (1, 3)]
    chosen = tens if len(tens) > 3 else [h for h in halves if low <= h <= high]
    return [low, *(one for one in chosen if low < one < high), high]


def even(low: float, high: float) -> list[float]:
    """The ends, and round numbers between them."""
    from matplotlib.ticker import MaxNLocator

    inner = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [low, *(float(one) for one in inner if low < one < high), high]


def apart(ticks: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Those that stand far enough apart to be read; the last is kept."""
    kept: list[tuple[float, str]] = []
    for tick in ticks:
        if not kept or tick[0] - kept[-1][0] >= NEAR:
            kept.append(tick)
        elif tick is ticks[-1]:
            kept[-1] = tick
    return kept


def _round(number: float) -> float:
    return float(f"{number:.3g}")
