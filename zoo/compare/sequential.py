"""A t-test that may be repeated after every pair of seeds, and is wrong in at most 5% of cases.

Tested anew at 5% after each seed, two equal arms are called different in 19% of cases by the 13th.
Here each look has a share of 4% (Lan and DeMets, 1983, Discrete sequential boundaries for
clinical trials): four fifths by the 12th pair, evenly; the rest for however many follow. So a
comparison has no planned end: it may go on later, with another budget, and needs no record of the
looks before. The t values of equal arms have one distribution whatever their deviation, so that the
bounds are found by drawing them.
"""

import functools

from zoo.compare.difference import Difference

FIRST, PLANNED = 3, 12  # pairs at the first look; by when most of them are spent
TOTAL = 0.04  # false claims at all looks together: below 5%, as figures are not quite normal
EARLY = 0.8  # of them
PATHS = 400_000
MAX_PAIRS = 60  # with a bound of their own


def spent(pairs: int) -> float:
    """The probability of a false claim by a number of pairs."""
    early = EARLY * min(1.0, (pairs - FIRST + 1) / (PLANNED - FIRST + 1))
    late = (1 - EARLY) * max(0.0, 1 - PLANNED / pairs)
    return TOTAL * (early + late)


@functools.cache
def bounds(last: int) -> tuple[float, ...]:
    """The |t| that decides, by the number of pairs from FIRST to `last`.

    Those of a smaller `last` are the beginning of those of a larger one.
    """
    import numpy

    rng = numpy.random.default_rng(0)
    total, squares = numpy.zeros(PATHS), numpy.zeros(PATHS)
    undecided = numpy.ones(PATHS, bool)
    found: list[float] = []
    for pairs in range(1, last + 1):
        drawn = rng.standard_normal(PATHS)
        total += drawn
        squares += drawn**2
        if pairs < FIRST:
            continue
        variance = (squares - total**2 / pairs) / (pairs - 1)
        t = numpy.abs(total) / numpy.sqrt(pairs * variance)
        to_cross = round(spent(pairs) * PATHS) - int((~undecided).sum())
        found.append(float(numpy.partition(t[undecided], -to_cross)[-to_cross]))
        undecided &= t < found[-1]
    return tuple(found)


def bound(pairs: int) -> float:
    """The |t| that decides after a number of pairs; infinite below FIRST."""
    if pairs < FIRST:
        return float("inf")
    return bounds(min(pairs, MAX_PAIRS))[-1]


def interval(found: Difference) -> tuple[float, float]:
    """An interval that holds the true difference at all looks together in 95% of cases."""
    half = bound(found.runs[0]) * found.error if found.known else float("inf")
    return found.size - half, found.size + half
