"""Intervals, patience, and the best that was seen."""

import pytest

from zoo.training.budget import Best, due, log_interval, monitored


def test_nothing_is_best_before_the_first_evaluation():
    assert Best().value < [0.0, -1e9] and monitored("accuracy", {"accuracy": 0.3}) == 0.3
    assert monitored("-loss", {"loss": 0.3}) == -0.3


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_never_the_best(bad):
    assert not Best().beaten_by([bad, 0.0]) and not Best().beaten_by([0.5, bad])
    assert Best().beaten_by([-1e9, -1e9]) and not Best(3, [0.5, 0.0]).beaten_by([0.5, 0.0])
    old = Best(3, [bad, -0.1], {"loss": 0.1}, waited=2)  # as older checkpoints have it
    assert old.step == 0 and old.beaten_by([-1e9, -1e9]) and old.waited == 2


def test_what_is_done_every_few_steps():
    assert [step for step in range(1, 10) if due(step, 3)] == [3, 6, 9]
    assert not due(3, None)


def test_a_run_by_the_clock_reports_however_large_its_steps():
    """`trainer.max_minutes=10 trainer.max_epochs=100000` may end before step 5,000."""
    every = {steps: log_interval(steps, False) for steps in (1, 6, 200, 7600, 40_000, 10**6)}
    assert list(every.values()) == [1, 1, 50, 50, 200, 5000]
    assert [log_interval(steps, True) for steps in every] == [1, 1, 50, 50, 50, 50]


def test_patience_counts_evaluations_since_the_best():
    assert Best(waited=2).out_of_patience(3) is None
    assert "no better validation in 3 evaluations" in Best(waited=3).out_of_patience(3)
    assert Best(waited=99).out_of_patience(None) is None
