"""Schedules against their closed forms."""

import itertools
import json
import math

import pytest

from zoo.errors import UserError
from zoo.registry import SCHEDULES


def factors(config, points):
    schedule = SCHEDULES.build(config)
    return [schedule.factor(p) for p in points]


GRID = [k / 40 for k in range(41)]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"name": "constant"}, lambda t: 1.0),
        ({"name": "linear"}, lambda t: 1 - t),
        ({"name": "linear", "final": 0.2}, lambda t: 1 - 0.8 * t),
        ({"name": "cosine"}, lambda t: (1 + math.cos(math.pi * t)) / 2),
        ({"name": "cosine", "final": 0.1}, lambda t: 0.1 + 0.45 * (1 + math.cos(math.pi * t))),
        ({"name": "wsd", "decay": 0.25}, lambda t: min(1.0, (1 - t) / 0.25)),
        (
            {"name": "wsd", "decay": 0.5, "final": 0.1},
            lambda t: 1.0 if t <= 0.5 else 0.1 + 0.9 * (1 - t) / 0.5,
        ),
        ({"name": "plateau"}, lambda t: 1.0),
        ({"name": "one_cycle", "warmup": 0.0}, lambda t: (1 + math.cos(math.pi * t)) / 2),
    ],
)
def test_closed_forms(config, expected):
    assert factors(config, GRID) == pytest.approx([expected(t) for t in GRID], abs=1e-12)


@pytest.mark.parametrize("name", [n for n in SCHEDULES.names() if n != "one_cycle"])
def test_warm_up_is_a_straight_line_to_the_peak(name):
    points = [0.0, 0.05, 0.1, 0.2]
    actual = factors({"name": name, "warmup": 0.2}, points)
    assert actual == pytest.approx([0.0, 0.25, 0.5, 1.0])


@pytest.mark.parametrize("warmup", [0.0, 0.2, 0.5])
def test_after_warm_up_the_shape_is_stretched_over_the_rest(warmup):
    for name in ("linear", "cosine"):
        rest = [warmup + (1 - warmup) * t for t in GRID]
        assert factors({"name": name, "warmup": warmup}, rest) == pytest.approx(
            factors({"name": name}, GRID)
        )


def test_one_cycle_goes_up_and_down_in_half_cosines():
    config = {"name": "one_cycle", "warmup": 0.4, "start": 0.1, "final": 0.05}
    actual = factors(config, [0.0, 0.2, 0.4, 0.7, 1.0])
    assert actual == pytest.approx([0.1, 0.55, 1.0, 0.525, 0.05])


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_always_between_zero_and_the_peak_and_continuous(name):
    schedule = SCHEDULES.build({"name": name})
    fine = [schedule.factor(k / 5000) for k in range(5001)]
    assert all(0 <= f <= 1 + 1e-12 for f in fine)
    assert max(abs(a - b) for a, b in itertools.pairwise(fine)) < 0.01
    assert schedule.factor(0.5) == schedule.factor(0.5)  # asking changes nothing


def test_wsd_decays_in_the_last_fraction_of_training():
    actual = factors({"name": "wsd", "warmup": 0.2, "decay": 0.3}, [0.5, 0.7, 0.85, 1.0])
    assert actual == pytest.approx([1.0, 1.0, 0.5, 0.0])
    assert factors({"name": "wsd", "decay": 0.0}, [0.5, 0.99]) == [1.0, 1.0]


# ---------------------------------------------------------------------------------- plateau


def test_plateau_cuts_after_patience_and_no_lower_than_the_floor():
    schedule = SCHEDULES.build({"name": "plateau", "cut": 0.1, "patience": 2, "floor": 0.005})
    levels = []
    for value in (0.5, 0.6, 0.6, 0.59, 0.6, 0.7, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1):
        schedule.observe(value)
        levels.append(schedule.factor(0.5))
    assert levels == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, *[0.005] * 4])


def test_plateau_takes_less_loss_for_better():
    schedule = SCHEDULES.build({"name": "plateau", "patience": 0})
    for loss in (3.0, 2.0, 1.0):
        schedule.observe(-loss)
    assert schedule.factor(0.9) == 1.0
    schedule.observe(-1.5)
    assert schedule.factor(0.9) == pytest.approx(0.3)


@pytest.mark.parametrize("name", SCHEDULES.names())
@pytest.mark.parametrize("seen", [0, 1, 5])
def test_a_state_round_trip_through_json(name, seen):
    config = {"name": name}
    first, second = SCHEDULES.build(config), SCHEDULES.build(config)
    if name == "plateau":
        first, second = (SCHEDULES.build(config | {"patience": 1}) for _ in range(2))
    for value in [0.3, 0.2, 0.2, 0.2, 0.2][:seen]:
        first.observe(value)
    second.load(json.loads(json.dumps(first.state(), allow_nan=False)))
    for value in (0.25, 0.1, 0.1, 0.4, 0.1):
        first.observe(value)
        second.observe(value)
        assert [first.factor(t) for t in GRID] == [second.factor(t) for t in GRID]


@pytest.mark.parametrize(
    "config",
    [
        {"name": "cosine", "warmup": 1.0},
        {"name": "linear", "warmup": -0.1},
        {"name": "wsd", "warmup": 0.6, "decay": 0.5},
    ],
)
def test_fractions_that_do_not_fit(config):
    with pytest.raises(UserError, match="expected a fraction of training"):
        SCHEDULES.build(config)
