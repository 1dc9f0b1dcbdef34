"""Learning-rate schedules: a factor on the peak rate as a function of progress, from 0 to 1.

Progress is the fraction of the budget that is used, so a schedule means the same whether a run is
sized in steps, epochs or minutes, and resuming needs no state (but for `plateau`).
"""

import math
from typing import Any

from zoo.bounds import Fraction, Natural, NotNegative
from zoo.errors import UserError
from zoo.registry import SCHEDULES


class Schedule:
    """Linear warm-up over the first part of training, then `shape` over the rest.

    Args:
        warmup: Fraction of the training spent raising the rate from zero, 0 to below 1.
    """

    def __init__(self, warmup: float = 0.0) -> None:
        self.warmup = self._fraction("warmup", warmup)

    @staticmethod
    def _fraction(name: str, value: float, top: float = 1.0) -> float:
        if not 0 <= value < top:
            raise UserError(
                f"schedule.{name}: got {value}, expected a fraction of training, 0 to below {top:g}"
            )
        return value

    def factor(self, progress: float) -> float:
        """The factor on the peak rate at a fraction `progress` of the training."""
        if progress < self.warmup:
            return progress / self.warmup
        return self.shape((progress - self.warmup) / (1 - self.warmup))

    def shape(self, progress: float) -> float:
        """The factor after warm-up; progress runs from 0 to 1 over what remains."""
        raise NotImplementedError

    def observe(self, value: float) -> None:
        """Called with the monitored validation metric (larger is better) after each evaluation."""

    def state(self) -> dict[str, Any]:
        """For the checkpoint, JSON."""
        return {}

    def load(self, state: dict[str, Any]) -> None:
        """From the checkpoint."""


@SCHEDULES.register("constant")
class Constant(Schedule):
    """The peak rate throughout."""

    def shape(self, progress: float) -> float:
        return 1.0


@SCHEDULES.register("linear")
class Linear(Schedule):
    """Down in a straight line to `final` times the peak."""

    def __init__(self, warmup: float = 0.0, final: NotNegative = 0.0) -> None:
        super().__init__(warmup)
        self.final = final

    def shape(self, progress: float) -> float:
        return 1 - (1 - self.final) * progress


@SCHEDULES.register("cosine")
class Cosine(Schedule):
    """Half a cosine down to `final` times the peak (Loshchilov and Hutter, 2017, 1608.03983)."""

    def __init__(self, warmup: float = 0.0, final: NotNegative = 0.0) -> None:
        super().__init__(warmup)
        self.final = final

    def shape(self, progress: float) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2


@SCHEDULES.register("one_cycle")
class OneCycle(Schedule):
    """Up and down in two half cosines (Smith and Topin, 2018, arXiv:1708.07120).

    Args:
        warmup: Fraction of the training going up.
        start, final: The rate at either end, as a fraction of the peak.
    """

    def __init__(
        self, warmup: float = 0.3, start: NotNegative = 0.04, final: NotNegative = 0.0
    ) -> None:
        super().__init__(warmup)
        self.start, self.final = start, final

    def factor(self, progress: float) -> float:
        if progress < self.warmup:
            rise = (1 - math.cos(math.pi * progress / self.warmup)) / 2
            return self.start + (1 - self.start) * rise
        return super().factor(progress)

    def shape(self, progress: float) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2


@SCHEDULES.register("wsd")
class WarmupStableDecay(Schedule):
    """Warm up, hold, and go down in a straight line at the end (Hu et al., 2024, 2404.06395).

    Args:
        warmup: Fraction of the training going up.
        decay: Fraction of the training going down.
        final: The last rate, as a fraction of the peak.
    """

    def __init__(self, warmup: float = 0.0, decay: float = 0.2, final: NotNegative = 0.0) -> None:
        super().__init__(warmup)
        self.decay = self._fraction("decay", decay, 1.0 - warmup + 1e-9) / (1 - warmup)
        self.final = final

    def shape(self, progress: float) -> float:
        remaining = (1 - progress) / self.decay if self.decay else 1.0
        return 1.0 if remaining >= 1 else self.final + (1 - self.final) * remaining


@SCHEDULES.register("plateau")
class Plateau(Schedule):
    """Hold, and cut the rate whenever validation has stopped improving.

    Args:
        warmup: Fraction of the training going up.
        cut: Factor on the rate at each cut.
        patience: Evaluations without improvement before a cut.
        floor: The smallest rate, as a fraction of the peak.
    """

    def __init__(
        self,
        warmup: float = 0.0,
        cut: Fraction = 0.3,
        patience: Natural = 3,
        floor: NotNegative = 0.001,
    ) -> None:
        super().__init__(warmup)
        self.cut, self.patience, self.floor = cut, patience, floor
        self.level, self.best, self.waited = 1.0, -math.inf, 0

    def shape(self, progress: float) -> float:
        return self.level

    def observe(self, value: float) -> None:
        """Count evaluations without improvement; cut after `patience` of them."""
        if value > self.best:
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.level, self.waited = max(self.floor, self.level * self.cut), 0

    def state(self) -> dict[str, Any]:
        best = None if self.best == -math.inf else self.best
        return {"level": self.level, "best": best, "waited": self.waited}

    def load(self, state: dict[str, Any]) -> None:
        self.level, self.waited = state["level"], state["waited"]
        self.best = -math.inf if state["best"] is None else state["best"]
