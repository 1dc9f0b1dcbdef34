"""Plots of rewards of groups of answers: which prompts a policy can learn from."""

from typing import Any

from torch import Tensor

from zoo.tasks.base import PreviewWriter
from zoo.tasks.plots.card import HEIGHT, SMALL, TOP, WIDTH, axes_on, new_card, new_figure

NEVER, ALIKE, LEARNT, ALWAYS = "#d1495b", "0.8", "#3b6fb6", "#3c9d6b"
CAPTION = (
    "Prompts by the mean reward of their group of answers. Where all answers of a group are worth "
    "the same (as at both ends), none is better than the others: only the blue prompts have a "
    "gradient."
)


def pass_rate_plots(rewards: Tensor, writer: PreviewWriter) -> None:
    """How often the answers to a prompt are rewarded.

    Args:
        rewards: From 0 to 1, (B, G): B prompts, G answers to each.
        writer: Receives the figure.
    """
    writer.figure("pass_rates", _card(rewards), _figure(rewards), CAPTION)


def _card(rewards: Tensor) -> Any:
    figure = new_card("Prompts by the rewards of their answers")
    axes = axes_on(figure, 42, TOP + 4, WIDTH - 52, HEIGHT - TOP - 36)
    _draw(axes, rewards)
    axes.tick_params(labelsize=SMALL)
    return figure


def _figure(rewards: Tensor) -> Any:
    title = f"Prompts by the rewards of their {rewards.shape[1]} answers"
    figure = new_figure(6.0, 3.6, title)
    _draw(figure.subplots(), rewards)
    return figure


def _draw(axes: Any, rewards: Tensor) -> None:
    size = rewards.shape[1]
    passed = (rewards.float().mean(1) * size).floor().long().clamp(0, size)
    alike = (rewards == rewards[:, :1]).all(1)
    bins = range(size + 1)
    shares = [(passed == k).float().mean().item() for k in bins]
    learnt = [((passed == k) & ~alike).float().mean().item() for k in bins]
    ends = [NEVER] + [ALIKE] * (size - 1) + [ALWAYS]
    axes.bar(bins, shares, color=ends, width=0.8)
    axes.bar(bins, learnt, color=LEARNT, width=0.8)
    axes.set(xlabel=f"mean reward of {size} answers", ylabel="share of prompts", ylim=(0, None))
    ticks = [0, size / 2, size]
    axes.set_xticks(ticks, ["0", "0.5", "1"])
