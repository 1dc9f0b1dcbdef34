"""Why a line won, on tables of which it is known."""

import itertools
import math
import random

import pytest
from support import write_run

from zoo.compare.explain import won_because
from zoo.runs.rank import rank
from zoo.runs.records import read_runs


def said(folder):
    (table,), _ = rank(read_runs([folder])[0])
    return won_because(table)


def grid(folder, gain, seeds=3, widths=(8, 32), rates=(0.1, 0.01), noise=0.004):
    """A grid of widths and rates, in which 32 gains."""
    rng = random.Random(0)
    for seed, width, lr in itertools.product(range(seeds), widths, rates):
        score = 0.8 + 0.02 * seed + gain * (width == 32) + rng.gauss(0, noise)
        typed = [f"model.width={width}", f"optim.lr={lr}"]
        path = folder / f"{width},{lr},{seed}"
        write_run(path, score, seed=seed, model__width=width, optim__lr=lr, typed=typed)


def test_the_setting_that_mattered_is_named_with_its_interval(tmp_path):
    grid(tmp_path, gain=0.05)
    first, second = said(tmp_path)
    assert first.startswith("Line 1 won by width=32 rather than 8: +0.05")
    assert "97% interval +0.0" in first and "6 comparisons of runs alike in all else" in first
    assert second.startswith("Not shown to matter: lr=")


def test_without_an_effect_none_is_claimed(tmp_path):
    grid(tmp_path, gain=0.0)
    assert said(tmp_path)[0].startswith("No setting is shown to matter: the largest effect is ")


def test_a_winner_s_value_that_is_worse_on_the_whole_did_not_win(tmp_path):
    """The rate 0.1 is best with a width of 32, and far worse with the five others."""
    for seed, width, lr in itertools.product(range(3), (2, 4, 8, 16, 32, 64), (0.1, 0.01)):
        score = 0.8 + 0.01 * seed + lr * (0.2 if width == 32 else -0.8)
        score += 0.001 * math.sin(width * seed)
        typed = [f"model.width={width}", f"optim.lr={lr}"]
        path = tmp_path / f"{width},{lr},{seed}"
        write_run(path, score, seed=seed, model__width=width, optim__lr=lr, typed=typed)
    (sentence,) = said(tmp_path)
    assert sentence.startswith("Line 1 won in spite of lr=0.1 rather than 0.01: -0.0"), sentence


def test_settings_that_change_together_are_one(tmp_path):
    for seed, (width, depth) in itertools.product(range(3), ((8, 1), (32, 2))):
        typed = [f"model.width={width}", f"model.depth={depth}"]
        score = 0.5 + 0.01 * seed + 0.2 * (width == 32) + 0.001 * seed * depth
        path = tmp_path / f"{width},{seed}"
        write_run(path, score, seed=seed, model__width=width, model__depth=depth, typed=typed)
    (first,) = said(tmp_path)
    assert "width/depth=32/2 rather than 8/1" in first


def test_a_value_chosen_of_many_is_corrected_for_the_choice(tmp_path):
    """Ten equal widths: the winner's is above the mean of the others in every seed."""
    for seed, width in itertools.product(range(4), range(10)):
        score = 0.5 + 0.01 * (width == 3) + 0.002 * math.sin(7 * seed + width) * (width != 3)
        score += 0.006 * math.cos(5 * seed) * (width == 3)
        path = tmp_path / f"{width},{seed}"
        write_run(path, score, seed=seed, model__width=width, typed=[f"model.width={width}"])
    (first,) = said(tmp_path)
    assert first.startswith("No setting is shown to matter"), first


def test_two_runs_of_one_seed(tmp_path):
    write_run(tmp_path / "a", 0.9, model__width=32, typed=["model.width=32"])
    write_run(tmp_path / "b", 0.8, typed=["model.width=8"])
    first, second = said(tmp_path)
    assert "leads line 2 by +0.1000 val/accuracy; they differ in width=32, not 8" in first
    assert second.startswith("One seed decides nothing")


def test_a_search_compares_the_winner_s_neighbours_with_the_rest(tmp_path):
    rng = random.Random(0)
    for k in range(24):
        lr, width = 10 ** rng.uniform(-4, -1), rng.choice((8, 16, 32, 64))
        loss = {"loss": 0.3 + abs(math.log10(lr) + 2.5) + rng.gauss(0, 0.05)}
        typed = ["optim.lr=1", "model.width=1"]
        more = {"optim__lr": lr, "model__width": width, "result": {"monitor": "-loss"}}
        write_run(tmp_path / str(k), loss, typed=typed, **more)
    first = said(tmp_path)[0]
    assert first.startswith("Line 1 won by lr from 0.00") and "rather than outside: -0." in first
    assert "the winner left out" in first


@pytest.mark.parametrize("scores", [(0.5,), (math.nan, math.nan)])
def test_without_a_second_line_nothing_is_said(tmp_path, scores):
    for k, score in enumerate(scores):
        write_run(tmp_path / str(k), {"accuracy": None if math.isnan(score) else score}, seed=k)
    assert said(tmp_path) == []
