"""Curves: samples lie about the function that is stated, as far as the noise takes them."""

import re

import numpy as np
import pytest
from contexts import build_dataset

from zoo.errors import UserError


@pytest.mark.parametrize(
    ("function", "at"),
    [
        ("sine", {0.25: 1.0, -0.5: 0.0}),
        ("step", {-0.5: -1.0, 0.5: 1.0}),
        ("runge", {0.0: 1.0, 0.2: 0.5}),
        ("weierstrass", {0.0: 1.9375, 1.0: -1.9375}),
    ],
)
def test_samples_lie_about_the_true_curve(function, at):
    dataset = build_dataset({"name": "curve", "function": function, "samples": 2000})
    grid = np.array(dataset.facts["true_curve"])
    for x, y in at.items():
        assert np.interp(x, *grid.T) == pytest.approx(y, abs=1e-6)
    columns = dataset.splits["test"].columns
    (mean, std), facts = dataset.facts["feature_scales"][0], dataset.facts
    x = columns["input"][:, 0].double().numpy() * std + mean
    y = columns["target"][:, 0].double().numpy() * facts["target_std"] + facts["target_mean"]
    inside = np.abs(x) > 0.01  # not where the step is
    error = (y - np.interp(x, *grid.T))[inside]
    floor = float(re.search(r"leaves: (\d\.\d+)", dataset.notes[0])[1])
    assert np.sqrt((error**2).mean()) == pytest.approx(floor, rel=0.03)
    assert floor == pytest.approx(0.1, rel=0.15)


def test_too_few_samples():
    with pytest.raises(UserError, match="data.samples=5: expected 20 or more"):
        build_dataset({"name": "curve", "samples": 5})
