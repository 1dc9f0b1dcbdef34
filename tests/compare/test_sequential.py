"""A t-test that is repeated after every seed errs in at most 5%, on drawn figures of equal arms."""

import numpy
import pytest
from scipy import stats

from zoo.compare.difference import Scale, paired
from zoo.compare.sequential import FIRST, bound, bounds, interval, spent


def t_values(draws):
    """|t| after each number of pairs from FIRST on: (paths, looks)."""
    pairs = numpy.arange(1, draws.shape[1] + 1)
    mean = draws.cumsum(1) / pairs
    with numpy.errstate(divide="ignore", invalid="ignore"):
        variance = ((draws**2).cumsum(1) - pairs * mean**2) / (pairs - 1)
        return numpy.abs(mean / numpy.sqrt(variance / pairs))[:, FIRST - 1 :]


@pytest.mark.parametrize("first_look", [3, 6])
def test_equal_arms_are_called_different_in_at_most_5_percent_by_40_seeds(first_look):
    drawn = t_values(numpy.random.default_rng(1).standard_normal((40_000, 40)))
    crossed = (drawn >= numpy.array(bounds(40)))[:, first_look - FIRST :].any(1).mean()
    assert 0.02 < crossed < 0.04
    naive = (drawn >= stats.t.isf(0.025, numpy.arange(2, 40))).any(1).mean()
    assert naive > 0.25, "the bounds are what prevents it"


def test_a_difference_of_two_deviations_of_independent_runs_is_found():
    drawn = numpy.random.default_rng(2).standard_normal((4000, 13)) + 2 / 2**0.5
    assert (t_values(drawn) >= numpy.array(bounds(13))).any(1).mean() > 0.95


def test_the_end_is_not_planned():
    """The bounds of a small budget are those of a larger one, as far as they go."""
    assert bounds(20)[:8] == bounds(10) and bound(10) == bounds(10)[-1]
    assert bound(2) == float("inf") and bound(10**6) == bound(60)
    assert spent(12) == pytest.approx(0.032) and spent(10**9) == pytest.approx(0.04)


def test_the_interval_is_that_of_the_bound():
    found = paired([1.0, 2.0, 3.0, 4.0], Scale(larger=True))
    low, high = interval(found)
    assert (high + low) / 2 == pytest.approx(2.5)
    assert (high - low) / 2 == pytest.approx(bound(4) * found.error)
