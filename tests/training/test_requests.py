"""Requests of ranks: what each asks for, and what all do."""

import dataclasses
import signal

import pytest
import torch

from zoo.training.config import TrainerConfig
from zoo.training.requests import Clock, Request, Requests
from zoo.training.runtime import Runtime
from zoo.training.signals import StopSignals


class Ranks(Runtime):
    """Several ranks, of which the others have made their requests."""

    others = (0,)

    def gather(self, value):
        return [value, *self.others]


def requests(rank=0, seconds=0.0, **limits):
    clock = Clock()
    clock.restart(seconds)
    config = dataclasses.replace(TrainerConfig(), **{"save_minutes": None} | limits)
    return Requests(config, Ranks(torch.device("cpu"), rank, 2), clock, StopSignals())


def test_nothing_is_requested_before_its_time():
    assert requests(seconds=59, max_minutes=1, save_minutes=1).local() == Request.NONE


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"save_minutes": 1}, Request.SAVE),
        ({"max_minutes": 1}, Request.OUT_OF_TIME),
        ({"save_minutes": 1, "max_minutes": 1}, Request.OUT_OF_TIME),
    ],
)
def test_the_clock_is_rank_0s(limits, expected):
    assert requests(0, 61, **limits).local() == expected
    assert requests(1, 61, **limits).local() == Request.NONE


def test_a_checkpoint_is_due_so_long_after_the_last_one():
    mine = requests(seconds=100, save_minutes=1)
    mine.saved_at = 90
    assert mine.local() == Request.NONE
    mine.saved_at = 30
    assert mine.local() == Request.SAVE


def test_a_signal_comes_first_on_any_rank():
    mine = requests(1, 61, max_minutes=1)
    mine.signals.received = signal.SIGTERM
    assert mine.local() == signal.SIGTERM


def test_one_rank_follows_its_own_request():
    assert requests().resolve(Request.SAVE, None) == Request.SAVE


def test_ranks_follow_the_strongest_request_one_step_later():
    mine = requests()
    mine.runtime.others = (signal.SIGTERM, Request.SAVE)
    total = torch.tensor(float(signal.SIGTERM + Request.SAVE))
    assert mine.resolve(0, torch.zeros(())) == Request.NONE
    assert mine.resolve(0, total) == Request.NONE  # not yet read
    assert mine.resolve(0, torch.zeros(())) == Request.SAVE
    assert mine.resolve(0, torch.zeros(())) == Request.NONE


def test_the_clock_counts_earlier_sessions(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    clock = Clock()
    now[0] = 103.0
    assert clock.seconds == 3.0
    clock.restart(50.0)
    now[0] = 104.5
    assert clock.seconds == 51.5


def test_the_clock_stops_once(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    clock = Clock()
    for now[0] in (103.0, 110.0):
        clock.stop()
    assert clock.seconds == 3.0
    clock.restart(clock.seconds)
    now[0] = 111.0
    assert clock.seconds == 4.0
