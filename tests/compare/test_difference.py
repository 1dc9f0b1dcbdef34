"""Two arms compared, held to SciPy's tests on the same figures."""

import math

import numpy
import pytest
from scipy import stats

from zoo.compare.difference import ALPHA, Scale, difference

PLAIN = Scale(larger=True)
A = {0: 0.91, 1: 0.94, 2: 0.90, 3: 0.97}
B = {0: 0.90, 1: 0.92, 2: 0.90, 3: 0.93}


def renamed(arm):
    """The same figures of other seeds."""
    return {f"other {seed}": value for seed, value in arm.items()}


def test_runs_of_the_same_seeds_are_paired():
    found = difference(A, B, PLAIN)
    expected = stats.ttest_rel(list(A.values()), list(B.values()))
    assert found.method == "paired t-test" and found.p == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval(1 - ALPHA)
    assert found.interval() == pytest.approx((low, high)) and found.runs == (4, 4)


def test_a_partner_for_each_run_of_the_smaller_arm_is_enough():
    assert difference(A | {7: 0.5}, B, PLAIN) == difference(A, B, PLAIN)
    assert difference(A, B | {7: 0.5}, PLAIN) == difference(A, B, PLAIN)


def test_other_seeds_are_compared_by_welch():
    found = difference(A, renamed(B) | {"fifth": 0.8}, PLAIN)
    second = [*B.values(), 0.8]
    expected = stats.ttest_ind(list(A.values()), second, equal_var=False)
    assert found.method == "Welch's t-test" and found.p == pytest.approx(expected.pvalue)
    assert found.interval() == pytest.approx(expected.confidence_interval(1 - ALPHA))
    assert found.runs == (4, 5)


def test_a_lower_loss_is_better():
    found = difference(A, B, Scale(larger=False))
    assert found.size == pytest.approx(-difference(A, B, PLAIN).size)


def test_losses_that_span_powers_of_ten_are_compared_by_their_logarithms():
    scale = Scale.of([1e-3, 2e-3, 1.0], larger=False)
    assert scale.log and not Scale.of([0.5, 0.6], larger=False).log
    assert not Scale.of([0.001, 0.9], larger=True).log, "accuracies stay as they are"
    found = difference({0: 1e-3, 1: 2e-3}, {0: 1e-2, 1: 3e-2}, scale)
    assert found.size == pytest.approx((math.log(10) + math.log(15)) / 2)


def test_one_run_says_nothing():
    for other in ({0: 0.5}, {1: 0.5}, {1: 0.5, 2: 0.6}):
        found = difference({0: 0.9}, other, PLAIN)
        assert found.method == "none" and found.p == 1 and found.interval() == (-math.inf, math.inf)
        assert found.detectable == math.inf and found.more_seeds is None


def test_equal_figures_of_counts_are_no_proof_of_no_noise():
    """Two accuracies of 100 samples each: without a floor any constant difference were certain."""
    first, second = {0: 0.91, 1: 0.91}, {0: 0.90, 1: 0.90}
    scale = Scale.of([*first.values(), *second.values()], larger=True)
    assert scale.step == pytest.approx(0.01)
    assert difference(first, second, scale).p > 0.05
    assert difference(renamed(first), second, scale).p > 0.05
    assert not difference(first, first, Scale.of([0.91, 0.91], True)).known


def test_what_could_have_been_shown_is_shown_in_80_percent_of_cases():
    """Drawn with the very difference that the arms of 5 seeds are said to be able to show."""
    rng = numpy.random.default_rng(0)
    error = 1 / 5**0.5
    found = difference(dict(enumerate(rng.standard_normal(5))), dict.fromkeys(range(5), 0.0), PLAIN)
    true = found.detectable / found.error * error
    drawn = rng.standard_normal((4000, 5)) + true
    power = (stats.ttest_1samp(drawn, 0, axis=1).pvalue < ALPHA).mean()
    assert power == pytest.approx(0.8, abs=0.03)


def test_more_seeds_are_those_that_show_the_difference():
    found = difference({0: 1.2, 1: 0.2, 2: 0.7}, {0: 0.0, 1: 0.0, 2: 0.0}, PLAIN)
    rng, seeds = numpy.random.default_rng(0), 3 + found.more_seeds
    drawn = 0.5 * rng.standard_normal((4000, seeds)) + 0.7
    power = (stats.ttest_1samp(drawn, 0, axis=1).pvalue < ALPHA).mean()
    assert found.p > ALPHA and power == pytest.approx(0.83, abs=0.05)
    assert difference({0: 1e-9, 1: -1.0}, {0: 0.0, 1: -1.0 - 1e-12}, PLAIN).more_seeds is not None


def test_equivalence_is_two_one_sided_tests():
    found = difference(A, {seed: value - 0.001 * seed for seed, value in A.items()}, PLAIN)
    pairs = [0.001 * seed for seed in A]
    below = stats.ttest_1samp(pairs, 0.004, alternative="less").pvalue
    above = stats.ttest_1samp(pairs, -0.004, alternative="greater").pvalue
    assert found.within(0.004) == (max(below, above) < ALPHA) == True  # noqa: E712
    assert not found.within(0.002)
