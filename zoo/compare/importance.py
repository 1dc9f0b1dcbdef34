"""Which settings matter: functional analysis of variance of a random forest.

Hutter et al., 2014, An Efficient Approach for Assessing Hyperparameter Importance.
A forest learns the metric from the settings. Its predictions over all combinations of the values
that were tried have a variance; a setting's share *alone* is what its mean effect makes of it, and
its share *in all* is what would be lost if all settings but this one were known (Sobol's first and
total index). Differs from the paper: estimated by sampling, rather than summed over the leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from zoo.compare.scale import Scale

LEAST = 8  # lines of a table, that a forest can learn from
TREES, SAMPLES = 100, 4000
Array = NDArray[numpy.float64]


@dataclass(frozen=True)
class Importance:
    """Shares of the variance.

    Attributes:
        alone: Of each setting, by name, largest first.
        total: With what it does together with others.
        fit: R² of the forest on lines that its trees have not seen; below 0 it has learnt nothing.
    """

    alone: dict[str, float]
    total: dict[str, float]
    fit: float


def too_few(lines: int, settings: int) -> str | None:
    """Why there is no importance to speak of, in one line."""
    if settings < 2:
        return "importance: fewer than two settings differ, so there is nothing to divide"
    if lines < (needed := max(LEAST, 2 * settings)):
        return (
            f"importance: {lines} combinations of {settings} settings tell too little; "
            f"{needed} are needed"
        )
    return None


def importance(scales: Sequence[Scale], scores: Sequence[float]) -> Importance:
    """Of settings, from what was reached.

    Args:
        scales: Of each setting, with the position of each of N lines on it.
        scores: N values of the metric, as they stand on its axis: a loss that spans powers of ten
            logarithmically, or one run that diverged would be all there is to explain.
    """
    from sklearn.ensemble import RandomForestRegressor

    x = numpy.array([scale.positions for scale in scales]).T  # [N, settings]
    y = numpy.array(scores)
    forest = RandomForestRegressor(TREES, oob_score=True, random_state=0)
    forest.fit(x, y)
    rng = numpy.random.default_rng(0)
    tried = [column for column in x.T]
    points = _mixed(tried, rng)
    predicted = forest.predict(points)
    variance = predicted.var()
    alone, total = {}, {}
    for k, one in enumerate(scales):
        other = points.copy()
        other[:, k] = rng.choice(tried[k], SAMPLES)
        lost = ((predicted - forest.predict(other)) ** 2).mean() / 2  # Jansen's estimate
        alone[one.name] = _share(_main_effect(forest, points, tried[k], k), variance)
        total[one.name] = max(_share(lost, variance), alone[one.name])
    order = sorted(alone, key=lambda name: -total[name])
    fit = float(forest.oob_score_)
    return Importance({n: alone[n] for n in order}, {n: total[n] for n in order}, fit)


def _mixed(tried: Sequence[Array], rng: numpy.random.Generator) -> Array:
    """Combinations of tried values, each drawn by itself: what a full grid would hold."""
    return numpy.stack([rng.choice(values, SAMPLES) for values in tried], axis=1)


def _main_effect(forest: object, points: Array, values: Array, k: int) -> float:
    """The variance of the mean prediction as setting k takes its values."""
    found, counts = numpy.unique(values, return_counts=True)
    if len(found) > 20:  # quantiles tell as much
        found, counts = numpy.quantile(values, (numpy.arange(20) + 0.5) / 20), numpy.ones(20)
    fixed = numpy.tile(points[:200], (len(found), 1))  # the same others beside each value
    fixed[:, k] = found.repeat(200)
    means = forest.predict(fixed).reshape(len(found), 200).mean(1)  # type: ignore[attr-defined]
    middle = numpy.average(means, weights=counts)
    return float(numpy.average((means - middle) ** 2, weights=counts))


def _share(part: float, whole: float) -> float:
    return min(1.0, float(part / whole)) if whole > 0 else 0.0
