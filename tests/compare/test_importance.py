"""Importance of settings, for scores of which it is known."""

import itertools
import random

import pytest

from zoo.compare.importance import importance, too_few
from zoo.compare.scale import scale


def on_grid(score, **values):
    """The importance of settings for a score, from the full grid of values."""
    grid = list(itertools.product(*values.values()))
    scales = [
        scale(name, column) for name, column in zip(values, zip(*grid, strict=True), strict=True)
    ]
    return importance(scales, [score(*point) for point in grid])


def test_the_important_setting_comes_first():
    estimate = on_grid(
        lambda lr, width, act: -abs(lr) + 0.1 * width, lr=[-2, -1, 0, 1, 2], width=[0, 1, 2],
        act=["relu", "gelu"],
    )  # fmt: skip
    assert list(estimate.total) == ["lr", "width", "act"]
    assert estimate.alone["lr"] > 0.8 and estimate.total["act"] < 0.02 and estimate.fit > 0.5


def test_interactions_are_in_the_total_only():
    estimate = on_grid(lambda a, b, c: float(a == b), a=[0, 1, 2, 3], b=[0, 1, 2, 3], c=[0, 1])
    assert estimate.total["a"] > 3 * estimate.alone["a"] and estimate.total["a"] > 0.4
    assert estimate.total["c"] < 0.1


def test_fractions_are_those_of_an_analysis_of_variance():
    """With additive effects: the variance of each effect divided by that of the score."""
    estimate = on_grid(lambda a, b: 3.0 * a + 1.0 * b, a=list(range(8)), b=list(range(8)))
    assert estimate.alone["a"] == pytest.approx(0.9, abs=0.05)
    assert estimate.alone["b"] == pytest.approx(0.1, abs=0.05)


def test_noise_fits_nothing():
    rng = random.Random(0)
    estimate = on_grid(lambda *point: rng.random(), a=list(range(6)), b=list(range(6)))
    assert estimate.fit < 0.3


def test_too_few_runs_are_refused_in_a_line():
    assert "fewer than two settings" in too_few(100, 1)
    assert "7 combinations of 2 settings are too few; 8 are needed" in too_few(7, 2)
    assert "16 are needed" in too_few(15, 8) and too_few(16, 8) is None
