"""Rewards of better and worse answers."""

import torch
from previews import Previews

from zoo.tasks.plots.preferences import reward_plots


def test_all_answers_are_counted_and_the_right_orders_named():
    previews = Previews()
    reward_plots(torch.tensor([[1.0, -1.0], [0.5, 0.2], [-2.0, 0.0], [0.3, 0.1]]), previews)
    for figures in (previews.figures, previews.full):
        (axes,) = figures["rewards"].axes
        heights = [patch.get_height() for patch in axes.patches]
        assert sum(heights[: len(heights) // 2]) == sum(heights[len(heights) // 2 :]) == 4
    assert "75%" in previews.full["rewards"].get_suptitle()
    reward_plots(torch.zeros(3, 2), previews)  # before the first step
