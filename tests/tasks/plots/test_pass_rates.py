"""Prompts by the rewards of their groups."""

import torch
from matplotlib.colors import to_hex
from previews import Previews

from zoo.tasks.plots.pass_rates import ALWAYS, LEARNT, NEVER, pass_rate_plots


def test_shares_of_prompts_and_which_of_them_have_a_gradient():
    rewards = torch.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    previews = Previews()
    pass_rate_plots(rewards, previews)
    for figures in (previews.figures, previews.full):
        (axes,) = figures["pass_rates"].axes
        bars = [(round(bar.get_height(), 3), to_hex(bar.get_facecolor())) for bar in axes.patches]
        assert bars[:3] == [(0.2, NEVER), (0.4, to_hex("0.8")), (0.4, ALWAYS)]
        assert bars[3:] == [(0.0, LEARNT), (0.2, LEARNT), (0.0, LEARNT)]
