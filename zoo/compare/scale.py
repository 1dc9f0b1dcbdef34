"""Axes of settings and metrics: positions of values from 0 to 1, for plots and for fANOVA."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from zoo.runs.settings import ABSENT, format_value

MIN_LOG_RATIO = 8.0  # of largest to smallest value, for a logarithmic axis
MAX_NAMED = 8  # with more values, round numbers are labelled instead
MIN_DISTANCE = 0.05  # of two labels


@dataclass(frozen=True)
class Scale:
    """An axis from 0 to 1.

    Attributes:
        name: Its label.
        positions: The position of each value.
        ticks: (position, text) of its tick labels.
        kind: `linear`, `log`, or `words` (categories).
    """

    name: str
    positions: list[float]
    ticks: list[tuple[float, str]]
    kind: str


def scale(name: str, values: Sequence[Any]) -> Scale:
    """An axis for values: numbers on a linear or logarithmic scale, anything else as categories.

    A missing number (`null`, or no such setting) is below the others.
    """
    missing = [value is None or value == ABSENT for value in values]
    numbers = [value for value, lacks in zip(values, missing, strict=True) if not lacks]
    numeric = all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
    if not numbers or not numeric:
        return _categories(name, [format_value(value) for value in values])
    low, high, named = min(numbers), max(numbers), sorted(set(numbers))
    log = _logarithmic(named)
    floor = 0.15 if any(missing) else 0.0

    def position(value: float) -> float:
        fraction = _fraction(value, low, high, log) if high > low else 0.5
        return floor + (1 - floor) * fraction

    positions = [
        0.0 if lacks else position(value) for value, lacks in zip(values, missing, strict=True)
    ]
    if len(named) > MAX_NAMED:
        named = decades(low, high) if log else even(low, high)
    ticks = drop_close([(position(number), format_value(_round(number))) for number in named])
    if any(missing):
        ticks.insert(0, (0.0, "null" if None in values else ABSENT))
    return Scale(name, positions, ticks, "log" if log else "linear")


def _categories(name: str, words: Sequence[str]) -> Scale:
    """Evenly spaced, in alphabetical order."""
    distinct = sorted(set(words))
    last = len(distinct) - 1
    position = {word: k / last if last else 0.5 for k, word in enumerate(distinct)}
    ticks = [(at, word) for word, at in position.items()]
    return Scale(name, [position[word] for word in words], ticks, "words")


def _fraction(value: float, low: float, high: float, log: bool) -> float:
    return math.log(value / low, high / low) if log else (value - low) / (high - low)


def _logarithmic(numbers: Sequence[float]) -> bool:
    """Whether sorted numbers have a wide range and are more even on a logarithmic axis."""
    low, high = numbers[0], numbers[-1]
    if low <= 0 or high / low < MIN_LOG_RATIO:
        return False
    linear, log = (
        abs(median(_fraction(n, low, high, log) for n in numbers) - 0.5) for log in (False, True)
    )
    return log <= linear


def decades(low: float, high: float) -> list[float]:
    """The ends, and powers of ten between them (also three times those, if they are few)."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    tens = [10.0**k for k in range(first, last + 1)]
    finer = [k * ten for ten in (10.0 ** (first - 1), *tens) for k in (1, 3)]
    inner = tens if len(tens) > 3 else finer
    return [low, *(number for number in inner if low < number < high), high]


def even(low: float, high: float) -> list[float]:
    """The ends, and round numbers between them."""
    from matplotlib.ticker import MaxNLocator

    inner = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [low, *(float(number) for number in inner if low < number < high), high]


def drop_close(ticks: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """The ticks whose labels do not overlap; the last one always stays."""
    readable: list[tuple[float, str]] = []
    for tick in ticks:
        if not readable or tick[0] - readable[-1][0] >= MIN_DISTANCE:
            readable.append(tick)
        elif tick is ticks[-1]:
            readable[-1] = tick
    return readable


def _round(number: float) -> float:
    return float(f"{number:.3g}")
