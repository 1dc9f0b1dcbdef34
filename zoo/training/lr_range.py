"""The learning-rate range test: raise the rate step by step and watch the loss.

Smith, 2017, https://arxiv.org/abs/1506.01186. The loss falls while the rate is high enough to
learn and low enough to hold, then climbs. Where it falls fastest is a good peak rate.
"""

import math
from typing import Any

from zoo.training.step import accumulate_gradients
from zoo.training.trainer import Trainer

SMOOTHING = 0.95  # of the loss, as an exponential moving average corrected for its start
DIVERGED = 4.0  # times the least loss so far


def lr_range(trainer: Trainer, low: float, high: float, steps: int) -> list[tuple[float, float]]:
    """Train for `steps` at rates growing from `low` to `high` by equal factors.

    Returns:
        (rate, smoothed loss) of each step, until the loss has diverged. Discard the model then.
    """
    curve: list[tuple[float, float]] = []
    average, least = 0.0, math.inf
    for k, micro_batches in enumerate(trainer.loader.training(0, steps)):
        rate = low * (high / low) ** (k / max(1, steps - 1))
        for group, peak in zip(trainer.optimizer.param_groups, trainer.rate.peaks):
            group["lr"] = rate * peak / trainer.rate.peak
        accumulate_gradients(
            trainer.wrapped_model,
            trainer.task,
            micro_batches,
            trainer.precision,
            trainer.runtime,
            trainer.running,
        )
        sums = trainer.running.take()
        trainer.precision.step(trainer.optimizer)
        for parameter in trainer.parameters:
            parameter.grad = None
        average = SMOOTHING * average + (1 - SMOOTHING) * float(sums["loss"] / sums["count"])
        smooth = average / (1 - SMOOTHING ** (k + 1))
        if not math.isfinite(smooth) or smooth > DIVERGED * least:
            break
        least = min(least, smooth)
        curve.append((rate, smooth))
    return curve


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
