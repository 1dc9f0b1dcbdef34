"""The values of an axis: its range, and round numbers to label."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high`, linear or by their logarithm.

    Attributes:
        low, high: The ends; `low < high`.
        log: Whether equal factors are equally far apart.
        ticks: Values that are labelled.
    """

    low: float
    high: float
    log: bool
    ticks: Sequence[float]

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def linear(low: float, high: float, count: int = 5) -> Axis:
    """An axis that begins and ends at the values, with about `count` round numbers."""
    if not high > low:
        room = abs(low) * 0.05 or 0.5
        low, high = low - room, high + room
    step = _round_up((high - low) / count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return Axis(low, high, False, [k * step for k in range(first, last + 1)])


def logarithmic(low: float, high: float) -> Axis:
    """An axis of positive values; powers of ten are labelled, or parts of one."""
    if not high > low:
        low, high = low / 1.5, high * 1.5
    tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = math.ceil(len(tens) / 7)
    for parts in ((1,), (1, 3), (1, 2, 5)):
        ticks = [part * 10.0**k for k in tens[::every] for part in parts]
        ticks = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
        if len(ticks) > 2:
            return Axis(low, high, True, ticks)
    return Axis(low, high, True, linear(low, high, 4).ticks)


def _round_up(width: float) -> float:
    ten = 10.0 ** math.floor(math.log10(width))
    return next(part * ten for part in ROUND if part * ten >= width * 0.999)


def padded(low: float, high: float, log: bool) -> tuple[float, float]:
    """The range with a little room on both sides, so that no line lies on the frame."""
    if log:
        factor = (high / low) ** 0.04 or 1.0
        return low / factor, high * factor
    room = (high - low) * 0.04
    return low - room, high + room


def named(value: float) -> str:
    """A tick's label: `0.25`, `2,000`, `40k`, `1e-05`."""
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.3g}"
    if abs(value) >= 1e4:
        return f"{value / 1e3:g}k"
    return f"{value:,.0f}" if abs(value) >= 1e3 else f"{value:.4g}"
