"""Interactions: the floor that is stated, and a part of the target that no linear model sees."""

import re

import numpy as np
import pytest
import torch
from contexts import build_dataset
from sklearn.linear_model import LinearRegression

from zoo.errors import UserError

OPTIONS = {"name": "interactions", "samples": 6000, "users": 8, "films": 6}


def numbers(dataset):
    return [float(x) for x in re.findall(r": (\d\.\d+)", dataset.notes[0])]


def columns(dataset, split):
    return (column.double().numpy() for column in dataset.splits[split].columns.values())


def test_a_linear_model_stays_at_its_floor_and_pairs_reach_that_of_the_noise():
    dataset = build_dataset(OPTIONS)
    noise, linear = numbers(dataset)
    assert noise == pytest.approx(1.0, abs=0.05) and 1.15 < linear / noise < 1.3
    (x, y), (test_x, test_y) = columns(dataset, "train"), columns(dataset, "test")
    error = LinearRegression().fit(x, y).predict(test_x) - test_y
    scale = dataset.facts["target_std"]
    assert np.sqrt((error**2).mean()) * scale == pytest.approx(linear, rel=0.02)

    def pairs(x):
        return np.concatenate([x, (x[:, :, None] * x[:, None]).reshape(len(x), -1)], 1)

    error = LinearRegression().fit(pairs(x), y).predict(pairs(test_x)) - test_y
    assert np.sqrt((error**2).mean()) * scale == pytest.approx(noise, rel=0.02)


def test_the_seed_decides_the_ratings():
    small = {"name": "interactions", "samples": 100}
    one, two, other = (build_dataset({**small, "seed": s}).sha256 for s in (0, 0, 1))
    assert one == two != other
    assert len(numbers(build_dataset({**small, "noise": 0.0}))) == 2
    torch.manual_seed(5)
    assert build_dataset(small).sha256 == one


def test_too_few_are_refused():
    with pytest.raises(UserError, match="data.users=1, data.films=15: expected 20 ratings or more"):
        build_dataset({"name": "interactions", "users": 1})
