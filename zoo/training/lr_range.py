"""The learning-rate range test: raise the rate step by step and watch the loss.

Smith, 2017, https://arxiv.org/abs/1506.01186. The loss falls while the rate is high enough to
learn and low enough to hold, then climbs. Where it falls fastest is a good peak rate.
"""

import math
from typing import Any

from zoo.errors import UserError
from zoo.training.trainer import Trainer

SMOOTHING = 0.95  # of the loss, as an exponential moving average corrected for its start
DIVERGED = 4.0  # times the least loss so far


class _Held:
    """A schedule whose factor is set from outside."""

    value = 0.0

    def factor(self, progress: float) -> float:
        """The same at any progress."""
        return self.value


def lr_range(trainer: Trainer, low: float, high: float, steps: int) -> list[tuple[float, float]]:
    """Train for `steps` at rates growing from `low` to `high` by equal factors.

    Returns:
        (rate, smoothed loss) of each step, until the loss has diverged. Discard the model then.

    Raises:
        UserError: A rate of zero, of which no other is a multiple.
    """
    if not trainer.rate.peak:
        raise UserError("optim.lr=0: expected a number above 0, which the test multiplies")
    trainer.rate.schedule = held = _Held()
    curve: list[tuple[float, float]] = []
    average, least, seen = 0.0, math.inf, 0
    for k, micro_batches in enumerate(trainer.loader.training(0, steps)):
        rate = low * (high / low) ** (k / max(1, steps - 1))
        held.value = rate / trainer.rate.peak
        trainer.train_step(micro_batches)
        trainer.step += 1
        sums = trainer.running.take()
        if not sums["count"]:
            continue  # nothing was predicted, so there is no loss
        average = SMOOTHING * average + (1 - SMOOTHING) * float(sums["loss"] / sums["count"])
        seen += 1
        smooth = average / (1 - SMOOTHING**seen)
        if not math.isfinite(smooth) or _has_diverged(smooth, least, curve):
            break
        least = min(least, smooth)
        curve.append((rate, smooth))
    return curve


def _has_diverged(loss: float, least: float, curve: list[tuple[float, float]]) -> bool:
    """Whether a loss is too far above the least so far; one of densities may be below zero."""
    if least > 0:
        return loss > DIVERGED * least
    return loss - least > (DIVERGED - 1) * max(-least, curve[0][1] - least)


def suggest(curve: list[tuple[float, float]]) -> float:
    """The rate at which the smoothed loss falls fastest per factor of the rate.

    Slopes are taken over a tenth of the curve, and only up to its lowest point.
    """
    lowest = min(range(len(curve)), key=lambda k: curve[k][1])
    span = max(1, len(curve) // 10)
    slopes = {
        k: (curve[k + span // 2][1] - curve[k - (span + 1) // 2][1])
        for k in range((span + 1) // 2, max(lowest - span // 2, (span + 1) // 2 + 1))
        if k + span // 2 < len(curve)
    }
    best = min(slopes, key=lambda k: slopes[k]) if slopes else lowest
    return curve[best][0]


def draw(curve: list[tuple[float, float]], rate: float, title: str) -> Any:
    """The curve as a matplotlib figure, the suggested rate marked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(*zip(*curve))
    axes.axvline(rate, color="tab:red", linestyle="--", label=f"falls fastest: {rate:.2g}")
    axes.set_xscale("log")
    axes.set(xlabel="learning rate", ylabel="training loss (smoothed)", title=title)
    axes.legend()
    return figure
