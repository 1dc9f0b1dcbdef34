"""Plots of the rewards of better and worse answers."""

from typing import Any

import numpy as np
from torch import Tensor

from zoo.tasks.base import PreviewWriter
from zoo.tasks.plots.card import HEIGHT, SMALL, TOP, WIDTH, axes_on, new_card, new_figure

CHOSEN, REJECTED = "#3c9d6b", "#d1495b"
BINS = 30
CAPTION = (
    "Rewards: beta times the log-ratio of the model to the starting policy, where all are 0. What "
    "is learnt is the distance between the two; both may well move to the left."
)


def reward_plots(rewards: Tensor, writer: PreviewWriter) -> None:
    """How the rewards of better and of worse answers are distributed.

    Args:
        rewards: (B, 2), of the better and of the worse answer to each of B prompts.
        writer: Receives the figure.
    """
    writer.figure("rewards", _card(rewards), _figure(rewards), CAPTION)


def _card(rewards: Tensor) -> Any:
    figure = new_card("Rewards of both answers")
    axes = axes_on(figure, 42, TOP + 4, WIDTH - 52, HEIGHT - TOP - 36)
    _draw(axes, rewards)
    axes.tick_params(labelsize=SMALL)
    return figure


def _figure(rewards: Tensor) -> Any:
    right = float((rewards[:, 0] > rewards[:, 1]).float().mean())
    title = f"Rewards of {len(rewards)} pairs of answers, {right:.0%} of them in the right order"
    figure = new_figure(6.0, 3.6, title)
    _draw(figure.subplots(), rewards)
    return figure


def _draw(axes: Any, rewards: Tensor) -> None:
    values = rewards.detach().float().numpy()
    low, high = float(values.min()), float(values.max())
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    for column, name, color in ((0, "chosen", CHOSEN), (1, "rejected", REJECTED)):
        axes.hist(values[:, column], edges, alpha=0.55, color=color, label=name)
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.set(xlabel="reward", ylabel="answers")
    axes.legend(fontsize=SMALL, frameon=False)
