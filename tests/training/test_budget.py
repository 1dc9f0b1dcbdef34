"""Intervals, patience, and the best that was seen."""

from zoo.training.budget import Best, monitored


def test_nothing_is_best_before_the_first_evaluation():
    assert Best().value < [0.0, -1e9] and monitored("accuracy", {"accuracy": 0.3}) == 0.3
    assert monitored("-loss", {"loss": 0.3}) == -0.3
