"""Plots of a sequence that is remembered: what was shown, what was answered, where heads were.

Shapes: T steps, C input values, O bits, R read and W write heads, N slots of a memory.
"""

from typing import Any

import torch
from torch import Tensor

from zoo.tasks.base import PreviewWriter
from zoo.tasks.plots.card import HEIGHT, LINE, SMALL, TOP, WIDTH, axes_on, new_card, new_figure

CAPTION = (
    "Time runs to the right. Above, the bits that were shown and the answer (dark: 1; red: wrong). "
    "Below, the slots of the memory that heads write to and read from: a network that has learnt "
    "to copy writes one slot after another and reads them in the same order."
)
WRONG = (0.82, 0.29, 0.36)


def remembered_plots(
    shown: Tensor,
    target: Tensor,
    share: Tensor,
    asked: Tensor,
    reads: Tensor,
    writes: Tensor,
    writer: PreviewWriter,
) -> None:
    """One sequence.

    Args:
        shown: (T, C).
        target: (T, O).
        share: Probability of a 1, (T, O).
        asked: Bool (T,), the steps of the answer.
        reads: Weights (T, R, N); without slots for a model without a memory.
        writes: Weights (T, W, N).
        writer: Receives the figure.
    """
    panels = {"shown": _grey(shown.T), "answer": _answer(target, share, asked)}
    if reads.numel() and writes.numel():
        heads = {"writes": writes.amax(1).T, "reads": reads.amax(1).T}  # (N, T)
        used = used_slots(torch.cat(list(heads.values()), 1))
        panels |= {name: _grey(weights[used]) for name, weights in heads.items()}
    title = "Shown, answered, written and read" if len(panels) > 2 else "Shown and answered"
    writer.figure("remembered", _card(panels, title), _figure(panels, title), CAPTION)


def _grey(values: Tensor) -> Tensor:
    """Bits as colours, (rows, T, 3)."""
    return (1 - 0.85 * values.clamp(0, 1))[..., None].expand(-1, -1, 3)


def _answer(target: Tensor, share: Tensor, asked: Tensor) -> Tensor:
    """Answered bits, (O, T, 3): wrong ones red, and nothing where none are asked for."""
    colours = _grey(share.T).clone()
    wrong = ((share > 0.5) != (target > 0.5)).T & asked
    colours[wrong] = torch.tensor(WRONG)
    colours[:, ~asked] = 1.0
    return colours


def used_slots(weights: Tensor) -> Tensor:
    """Slots that a head was on, in the order of the ring that they form: int64 (N',), from behind
    the longest stretch that none was on.

    Args:
        weights: (N, T).
    """
    slots = len(weights)
    places = (weights.amax(1) > 0.5).nonzero()[:, 0]
    if not len(places):
        return torch.arange(slots)
    gaps = places.roll(-1) - places  # to the next used slot
    gaps[-1] += slots
    first = int(places[(int(gaps.argmax()) + 1) % len(places)])
    return (first + torch.arange(slots - int(gaps.max()) + 1)) % slots


def _card(panels: dict[str, Tensor], title: str) -> Any:
    figure = new_card(title)
    height = (HEIGHT - TOP - LINE) / len(panels)
    for k, (name, image) in enumerate(panels.items()):
        axes = axes_on(figure, 38, TOP + k * height, WIDTH - 44, height - 5)
        _show(axes, name, image)
        axes.yaxis.label.set_size(SMALL)
        if k + 1 < len(panels):
            axes.set_xticks([])
    return figure


def _figure(panels: dict[str, Tensor], title: str) -> Any:
    rows = [max(4, len(image)) for image in panels.values()]
    figure = new_figure(8.0, 1.2 + 0.09 * sum(rows), title)
    grid = figure.subplots(len(panels), 1, height_ratios=rows, sharex=True)
    for axes, (name, image) in zip(grid, panels.items(), strict=True):
        _show(axes, name, image)
    grid[-1].set_xlabel("step")
    return figure


def _show(axes: Any, name: str, image: Tensor) -> None:
    axes.imshow(image.numpy(), aspect="auto", interpolation="nearest")
    axes.set_ylabel(name)
    axes.set_yticks([])
