"""The judge on arms drawn from real runs, as docs/training.md promises; 200 draws, one seed."""

import numpy
import pytest

from benchmarks import judge

CASES = [
    (recipe, kind, arms, seeds)
    for recipe in judge.RECIPES
    for kind, arms in (("other seeds", 2), ("same split", 2), ("same seed", 2))
    for seeds in judge.SEEDS
] + [(recipe, "same split", 10, 3) for recipe in judge.RECIPES]


@pytest.mark.parametrize(("recipe", "kind", "arms", "seeds"), CASES)
def test_equal_arms_are_called_different_in_at_most_5_percent_of_200(recipe, kind, arms, seeds):
    wrong, _ = judge.false_claims(judge.Pool.read(recipe), kind, arms, seeds, 200)
    assert wrong.mean() <= 0.05


def test_the_rule_of_two_standard_errors_fails_the_same_draws():
    pool = judge.Pool.read("mlp_digits")
    _, naive = judge.false_claims(pool, "other seeds", 2, 2, 200)
    assert naive.mean() > 0.1


@pytest.mark.parametrize("recipe", judge.RECIPES)
def test_two_deviations_are_found_with_five_of_the_same_seeds(recipe):
    assert judge.power(judge.Pool.read(recipe), "same seed", 100) >= 0.9


@pytest.mark.parametrize("recipe", judge.RECIPES)
def test_seeds_that_are_added_until_decided_keep_the_rate(recipe):
    assert judge.decided(judge.Pool.read(recipe), 600, 2)[0] <= 0.05


def test_arms_are_drawn_without_replacement():
    pool, rng = judge.Pool.read("mlp_digits"), numpy.random.default_rng(0)
    pool.same_split[:] = numpy.arange(pool.same_split.size).reshape(pool.same_split.shape)
    drawn = [v for arm in pool.draw("other seeds", 10, 5, rng) for v in arm.values()]
    assert len(set(drawn)) == 50
    first, second = pool.draw("same split", 2, 5, rng)
    assert [int(v) // 10 for v in first.values()] == [int(v) // 10 for v in second.values()]
    assert not set(first.values()) & set(second.values())
