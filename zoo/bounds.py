"""Bounds of options, declared in signatures: `dropout: Fraction = 0.1`, `width: Positive = 64`."""

import math
from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Bound:
    """The numbers that an option takes.

    Attributes:
        least, most: The ends of the range, themselves included.
        above, below: The ends, excluded.
    """

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def admits(self, value: float) -> bool:
        """Whether a number lies in the range; nan and infinity do not."""
        inside = self.least <= value <= self.most and self.above <= value <= self.below
        return inside and value not in (self.above, self.below) and abs(value) != math.inf

    def __str__(self) -> str:
        low = f"{self.least:g}" if self.least > -math.inf else f"above {self.above:g}"
        if self.below < math.inf:
            return f"{low} to below {self.below:g}"
        if self.most < math.inf:
            return f"{low} to {self.most:g}"
        return f"{low} or more" if self.least > -math.inf else low


Positive = Annotated[int, Bound(least=1)]
Natural = Annotated[int, Bound(least=0)]
Fraction = Annotated[float, Bound(least=0, below=1)]
NotNegative = Annotated[float, Bound(least=0)]
AboveZero = Annotated[float, Bound(above=0)]
