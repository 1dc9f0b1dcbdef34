"""Axes: linear, logarithmic, categories, missing values."""

import pytest

from zoo.compare.scale import scale


def test_learning_rates_get_a_logarithmic_axis_and_fractions_a_linear_one():
    rates = scale("lr", [1e-3, 1e-2, 1e-1])
    assert rates.kind == "log" and rates.positions == pytest.approx([0, 0.5, 1])
    assert [text for _, text in rates.ticks] == ["0.001", "0.01", "0.1"]
    fractions = scale("dropout", [k / 100 for k in range(1, 51)])
    assert fractions.kind == "linear" and len(fractions.ticks) < 9
    assert scale("width", [8, 16]).kind == "linear"


def test_categories_are_named_and_missing_values_are_at_the_bottom():
    words = scale("act", ["relu", "gelu", "relu"])
    assert words.kind == "words" and words.ticks == [(0, "gelu"), (1, "relu")]
    assert [text for _, text in scale("bias", [True, False]).ticks] == ["false", "true"]
    clip = scale("clip", [None, 1.0, 2.0])
    assert clip.positions[0] == 0 and clip.positions[1] > 0.1 and clip.ticks[0] == (0, "null")
