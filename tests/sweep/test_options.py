"""The options of a sweep, and the slots that follow from them."""

import os

import pytest

from zoo.errors import UserError
from zoo.sweep.options import SweepOptions, read_options


def test_the_old_name_of_the_time_limit_is_read():
    assert read_options({"member_minutes": 5}).trial_minutes == 5
    assert read_options({"member_minutes": None, "trial_minutes": 3}).trial_minutes == 3


def test_numbers_below_their_bounds_are_refused():
    with pytest.raises(UserError, match="sweep.retries=-1: expected 0 or more"):
        read_options({"retries": -1})


@pytest.mark.parametrize(
    ("slots", "trials", "expected"), [("auto", 100, (4, 2)), ("auto", 3, (3, 2)), (2, 100, (2, 4))]
)
def test_trials_share_the_cores(slots, trials, expected, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    found = SweepOptions(slots=slots if slots != "auto" else 4).find_slots(trials, 0, threads=4)
    assert (len(found), found[0].threads) == expected


def test_each_gpu_that_is_visible_is_a_slot(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    slots = SweepOptions().find_slots(trials=9, gpus=2, threads=1)
    assert [slot.environment for slot in slots] == [
        {"CUDA_VISIBLE_DEVICES": "3"},
        {"CUDA_VISIBLE_DEVICES": "5"},
    ]
    with pytest.raises(UserError, match="sweep.slots=3: this machine has 2 GPUs"):
        SweepOptions(slots=3).find_slots(trials=9, gpus=2, threads=1)
