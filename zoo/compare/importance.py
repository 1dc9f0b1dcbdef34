"""Hyperparameter importance: functional analysis of variance (fANOVA) of a random forest.

Hutter et al., 2014, An Efficient Approach for Assessing Hyperparameter Importance.
A forest is fitted from the settings to the metric. Its predictions over all combinations of the
tried values have a variance. The fraction that the mean effect of one setting explains is its
first-order Sobol index; the fraction that remains if all settings but this one are known is its
total index. Unlike the paper, the indices are estimated by sampling, not summed over the leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from zoo.compare.scale import Scale

MIN_GROUPS = 8  # of a table, to fit a forest
TREES, SAMPLES = 100, 4000
Array = NDArray[numpy.float64]


@dataclass(frozen=True)
class Importance:
    """Fractions of the variance by setting, the largest total first.

    Attributes:
        alone: First-order Sobol index: the effect of the setting alone.
        total: Total Sobol index: with its interactions.
        fit: Out-of-bag R² of the forest; below 0 it has learnt nothing.
    """

    alone: dict[str, float]
    total: dict[str, float]
    fit: float


def too_few(lines: int, settings: int) -> str | None:
    """Why importance cannot be estimated, in one line; None if it can."""
    if settings < 2:
        return "importance: fewer than two settings differ, so there is nothing to divide"
    if lines < (needed := max(MIN_GROUPS, 2 * settings)):
        return (
            f"importance: {lines} combinations of {settings} settings are too few; "
            f"{needed} are needed"
        )
    return None


def importance(scales: Sequence[Scale], scores: Sequence[float]) -> Importance:
    """The importance of each setting for a metric.

    Args:
        scales: The axis of each setting, with the positions of N groups.
        scores: Positions of N groups on the metric's axis. A loss that spans powers of ten is on a
            logarithmic one: otherwise a single diverged run would explain all the variance.
    """
    from sklearn.ensemble import RandomForestRegressor

    x = numpy.array([scale.positions for scale in scales]).T  # [N, settings]
    y = numpy.array(scores)
    forest = RandomForestRegressor(TREES, oob_score=True, random_state=0)
    forest.fit(x, y)
    rng = numpy.random.default_rng(0)
    tried = list(x.T)
    points = _sample_grid(tried, rng)
    predicted = forest.predict(points)
    variance = predicted.var()
    alone, total = {}, {}
    for k, scale in enumerate(scales):
        resampled = points.copy()
        resampled[:, k] = rng.choice(tried[k], SAMPLES)
        lost = ((predicted - forest.predict(resampled)) ** 2).mean() / 2  # Jansen's estimator
        alone[scale.name] = _fraction(_main_effect(forest, points, tried[k], k), variance)
        total[scale.name] = max(_fraction(lost, variance), alone[scale.name])
    order = sorted(alone, key=lambda name: -total[name])
    fit = float(forest.oob_score_)
    return Importance({n: alone[n] for n in order}, {n: total[n] for n in order}, fit)


def _sample_grid(tried: Sequence[Array], rng: numpy.random.Generator) -> Array:
    """Points [SAMPLES, settings] of the full grid of tried values, each drawn independently."""
    return numpy.stack([rng.choice(values, SAMPLES) for values in tried], axis=1)


def _main_effect(forest: object, points: Array, values: Array, k: int) -> float:
    """The variance of the mean prediction as setting k takes its values."""
    levels, counts = numpy.unique(values, return_counts=True)
    weights: Array = counts.astype(float)
    if len(levels) > 20:  # quantiles are enough
        levels, weights = numpy.quantile(values, (numpy.arange(20) + 0.5) / 20), numpy.ones(20)
    fixed = numpy.tile(points[:200], (len(levels), 1))  # the same other settings for each level
    fixed[:, k] = levels.repeat(200)
    means = forest.predict(fixed).reshape(len(levels), 200).mean(1)  # type: ignore[attr-defined]
    mean = numpy.average(means, weights=weights)
    return float(numpy.average((means - mean) ** 2, weights=weights))


def _fraction(explained: float, variance: float) -> float:
    return min(1.0, float(explained / variance)) if variance > 0 else 0.0
