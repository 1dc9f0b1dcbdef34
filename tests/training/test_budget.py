"""Intervals, patience, and the best that was seen."""

from zoo.training.budget import Best, due, monitored


def test_nothing_is_best_before_the_first_evaluation():
    assert Best().value < [0.0, -1e9] and monitored("accuracy", {"accuracy": 0.3}) == 0.3
    assert monitored("-loss", {"loss": 0.3}) == -0.3


def test_what_is_done_every_few_steps():
    assert [step for step in range(1, 10) if due(step, 3)] == [3, 6, 9]
    assert not due(3, None)


def test_patience_counts_evaluations_since_the_best():
    assert Best(waited=2).out_of_patience(3) is None
    assert "no better validation in 3 evaluations" in Best(waited=3).out_of_patience(3)
    assert Best(waited=99).out_of_patience(None) is None
