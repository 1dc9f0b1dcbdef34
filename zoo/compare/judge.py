"""Which lines of a table differ: decided by tests that hold their error rate with few seeds.

The best line is chosen by the same figures that are then tested, and there are many others to lose.
Two statements allow for both; tested at 3%, together they are wrong in at most 5% of tables of
equal arms (measured on real runs by scripts/benchmark.py judge):

- The first is better than every other: if it differs from each, two-sided and uncorrected. (That is
  enough: Gutmann and Maymin, 1987, Is the selected population the best?; Hung and Fithian, 2019,
  Rank verification for exponential families.)
- The first is better than some line: Holm's correction, over all pairs of lines, as any could have
  been the first.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from zoo.compare.difference import ALPHA, Difference, Scale, difference
from zoo.runs.rank import Group, Table
from zoo.runs.records import Record

Decision = Literal["different", "equal", "undecided", "one seed"]
MARGIN, RELATIVE_MARGIN = 0.005, 0.01  # of fractions such as accuracies; of other figures


@dataclass(frozen=True)
class Comparison:
    """The first line against another.

    Attributes:
        place: Of the other, from 2.
        difference: How much better the first is.
        p: Corrected for all pairs of lines.
        decision: What the table says of the two.
    """

    place: int
    difference: Difference
    p: float
    decision: Decision


@dataclass(frozen=True)
class Verdict:
    """What the runs of a table show.

    Attributes:
        table: The table.
        comparisons: Of the first line with each other that has finite figures.
        winner: Whether the first is better than every other.
        margin: Differences below it count as none.
        scale: How the figures are compared.
    """

    table: Table
    comparisons: list[Comparison]
    winner: bool
    margin: float
    scale: Scale

    @cached_property
    def second(self) -> Comparison | None:
        """The first line against the second."""
        return self.comparisons[0] if self.comparisons else None

    def places(self, *decisions: Decision) -> list[int]:
        """The lines that were decided so."""
        return [c.place for c in self.comparisons if c.decision in decisions]

    def as_json(self) -> dict[str, Any]:
        """For programs; differences are above 0 where the first line is better."""
        return {
            "first_is_best": self.winner,
            "level": 1 - ALPHA,
            "margin": self.margin,
            "log_scale": self.scale.log,
            "correction": "Holm, over all pairs of lines",
            "against_first": [_comparison(one) for one in self.comparisons],
        }


def _comparison(one: Comparison) -> dict[str, Any]:
    found = one.difference
    return {
        "place": one.place,
        "decision": one.decision,
        "method": found.method,
        "runs": list(found.runs),
        "better_by": found.size,
        "interval": list(found.interval()),
        "p": found.p if found.known else None,
        "p_corrected": one.p if found.known else None,
        "smallest_shown": found.detectable,
        "more_seeds": found.more_seeds,
    }


def arm(group: Group, over: tuple[str, ...]) -> dict[Any, float]:
    """The metric of a group's runs, by seed or whatever a line combines."""
    return {_pair_key(run, over): run.metrics.get(group.metric, math.nan) for run in group.runs}


def _pair_key(run: Record, over: tuple[str, ...]) -> Any:
    return tuple(str(run.settings.get(name)) for name in over) or str(run.path)


def judge(table: Table, margin: float | None = None) -> Verdict:
    """Compare the first line with the others.

    Args:
        table: Ranked runs.
        margin: Differences below it count as none; by itself 0.005 for fractions such as
            accuracies, 1% of the best for other figures.
    """
    groups = [group for group in table.groups if math.isfinite(group.score.mean)]
    arms = [arm(group, table.over) for group in groups]
    values = [value for one in arms for value in one.values()]
    scale = Scale.of(values, table.larger) if values else Scale(table.larger)
    if margin is None:
        margin = default_margin(values, scale)
    found = [difference(arms[0], other, scale) for other in arms[1:]]
    pairs = len(arms) * (len(arms) - 1) // 2
    raw = [one.p for one in found]
    winner = bool(raw) and max(raw) <= ALPHA and min(one.size for one in found) > 0
    comparisons = [
        Comparison(place, one, p, _decision(one, winner or p <= ALPHA, margin))
        for place, one, p in zip(range(2, len(arms) + 1), found, _holm(raw, pairs), strict=True)
    ]
    return Verdict(table, comparisons, winner, margin, scale)


def default_margin(values: list[float], scale: Scale) -> float:
    """0.005 for fractions such as accuracies, 1% of the best for other figures."""
    if scale.log:
        return math.log1p(RELATIVE_MARGIN)
    if scale.larger and values and min(values) >= 0 and max(values) <= 1:
        return MARGIN
    best = (max if scale.larger else min)(values, default=0.0)
    return RELATIVE_MARGIN * abs(best)


def _decision(found: Difference, differs: bool, margin: float) -> Decision:
    if min(found.runs) < 2:
        return "one seed"
    if differs and found.size > 0:  # below 0 where the first leads by seeds that only it has
        return "different"
    return "equal" if found.within(margin) else "undecided"


def _holm(p_values: list[float], tests: int) -> list[float]:
    """Holm, 1979: p-values corrected for a number of tests, of which these are a part.

    The others count as if they had shown nothing.
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    order = sorted(range(len(p_values)), key=lambda k: p_values[k])
    for before, k in enumerate(order):
        largest = max(largest, min(1.0, (tests - before) * p_values[k]))
        corrected[k] = largest
    return corrected
