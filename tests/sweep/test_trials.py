"""The trials of a grid: their names and overrides."""

import re

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from zoo.errors import UserError
from zoo.sweep.space import read_space
from zoo.sweep.trials import MAX_NAME, Trial, grid


def trials(*overrides, zipped=()):
    return grid(OverridesParser.create().parse_overrides(list(overrides)), zipped)


def test_a_grid():
    grid_trials = trials("model.width=4,8", "seed=range(1,4)", "optim=sgd")
    assert [trial.name for trial in grid_trials] == [
        f"width={w},seed={s}" for w in (4, 8) for s in (1, 2, 3)
    ]
    assert set(grid_trials[0].overrides) == {"model.width=4", "seed=1", "optim=sgd"}


@pytest.mark.parametrize("last", ["seed=3,4", "+seed=0", "seed=range(3,5)"])
def test_a_list_that_a_later_value_undoes_is_refused(last):
    for method in (trials, lambda *typed: read_space(typed, {}, {})):
        with pytest.raises(UserError, match=re.escape(f"'seed=1,2' is undone by '{last}'")):
            method("seed=1,2", "optim=sgd", last)


def test_a_list_undoes_an_earlier_value():
    assert [t.overrides[-1] for t in trials("seed=0", "seed=1,2")] == ["seed=1", "seed=2"]
    parts = ("model@model.image=cnn,resnet", "model@model.text=gpt,llama")
    assert len(trials(*parts)) == 4


def test_zipped_lists():
    overrides = ("model.width=4,8,16", "model.depth=3,2,1", "seed=1,2")
    zipped = trials(*overrides, zipped=["model.width", "model.depth"])
    pairs = ((4, 3), (8, 2), (16, 1))
    assert [trial.name for trial in zipped] == [
        f"width={w},depth={d},seed={s}" for w, d in pairs for s in (1, 2)
    ]


def test_names_are_those_of_folders():
    named = trials("data.path=a/b,c/d", "model.channels=[1,2],[3]")
    assert [trial.name for trial in named] == [
        f"path={p},channels=_{c}_" for p in ("a_b", "c_d") for c in ("1,2", "3")
    ]
    long = trials(f"name={'x' * 200}a,{'x' * 200}b")
    assert len({trial.name for trial in long}) == 2 and len(long[0].name) == MAX_NAME


def test_trials_of_long_names_are_read_again():
    long = trials(f"name={'x' * 200}a,{'x' * 200}b")
    assert [Trial.from_json(trial.to_json()) for trial in long] == long


def test_settings_of_one_name_keep_their_groups():
    (first, *_) = trials("optim.lr=1,2", "data.lr=3,4")
    assert first.name == "optim.lr=1,data.lr=3"


def test_zipped_lists_may_repeat_values():
    """The n-th of one list goes with the n-th of the other, whatever they are."""
    overrides = ["model.width=4,4,8", "seed=0,1", "model.depth=1,2,1"]
    zipped = trials(*overrides, zipped=["model.width", "model.depth"])
    assert [trial.overrides for trial in zipped] == [
        (f"model.width={width}", f"seed={seed}", f"model.depth={depth}")
        for width, depth in ((4, 1), (4, 2), (8, 1))
        for seed in (0, 1)
    ]
    equal = trials("seed=1,1", "optim.lr=3,3", zipped=["seed", "optim.lr"])
    assert len({trial.name for trial in equal}) == 2
    with pytest.raises(UserError, match="lists of one length: seed has 2, optim.lr has 3"):
        trials("seed=1,1", "optim.lr=3,3,3", zipped=["seed", "optim.lr"])
