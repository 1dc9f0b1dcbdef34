"""The learning-rate range test: the curve and the rate that it suggests."""

import math

import pytest

from zoo.training.lr_range import suggest


def curve(rates, loss):
    return [(rate, loss(rate)) for rate in rates]


def logspace(low, high, count):
    return [low * (high / low) ** (k / (count - 1)) for k in range(count)]


def test_suggests_where_a_sigmoid_falls_fastest():
    rates = logspace(1e-6, 1, 200)
    falling = curve(rates, lambda r: 2 / (1 + (r / 3e-3)))  # steepest in log r at 3e-3
    assert suggest(falling) == pytest.approx(3e-3, rel=0.25)


def test_what_happens_after_the_lowest_point_is_ignored():
    rates = logspace(1e-6, 1, 200)

    def loss(rate):
        fall = 2 / (1 + rate / 1e-3)
        return fall if rate < 0.05 else fall + 10 * math.sin(40 * rate)  # wild, with steep falls

    actual = curve([r for r in rates if r < 0.2], loss)
    lowest = min(actual, key=lambda point: point[1])[0]
    assert suggest(actual) <= lowest
