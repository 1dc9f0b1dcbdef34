"""The decision surface of a classifier of two features.

Shapes: N samples, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo.tasks.base import PreviewWriter
from zoo.tasks.plots.card import (
    SMALL,
    TOP,
    WIDTH,
    axes_on,
    class_colours,
    few_ticks,
    fit,
    legend_beside,
    new_card,
    new_figure,
)

GRID = 120  # points along each axis
FILM_GRID = 64
MARGIN = 0.05  # beyond the samples, as a fraction of their range
CAPTION = (
    "Colour: the predicted class, paler where it is less certain. Crosses: misclassified samples. "
    "Of two classes, the lines are where one has a probability of 10, 50 and 90 %."
)
FILM = "The decision surface at each validation; move the slider, or see the GIF in previews/. "
UNKNOWN = ("feature 1, standardised", "feature 2, standardised")


@dataclass(frozen=True)
class Surface:
    """What is drawn: probabilities on a grid, and the samples, all in the features' own units.

    Attributes:
        probability: (GRID, GRID, K), the second feature slow, the first fast.
        extent: left, right, bottom, top.
        points: (N, 2).
        target: Int64 (N,).
        wrong: Bool (N,).
        class_names, names: Of the K classes and of the two features.
    """

    probability: Tensor
    extent: tuple[float, ...]
    points: Tensor
    target: Tensor
    wrong: Tensor
    class_names: Sequence[str]
    names: Sequence[str]

    @property
    def title(self) -> str:
        """How many samples are classified correctly."""
        correct = len(self.wrong) - int(self.wrong.sum())
        return f"{correct:,} of {len(self.wrong):,} samples correct"


def surface(
    model: nn.Module,
    samples: Tensor,
    target: Tensor,
    class_names: Sequence[str],
    names: Sequence[str] | None,
    scales: Sequence[Sequence[float]] | None,
    grid: int = GRID,
) -> Surface:
    """Predicted class probabilities over the plane of two features.

    Args:
        model: (N, 2) to logits (N, K).
        samples: (N, 2), standardised.
        target: Int64 (N,).
        class_names: Of the K classes.
        names: Of the two features.
        scales: Mean and standard deviation of each feature, to plot it in its own units.
        grid: Points along each axis.
    """
    low, high = samples.amin(0), samples.amax(0)
    margin = MARGIN * (high - low).clamp(min=1e-6)
    low, high = low - margin, high + margin
    scale = torch.tensor([list(pair) for pair in scales or ((0, 1), (0, 1))], dtype=torch.float64)
    mean, std = scale.unbind(1)
    left, bottom = (low.cpu() * std + mean).tolist()
    right, top = (high.cpu() * std + mean).tolist()
    return Surface(
        probability_map(model, low, high, grid),
        (left, right, bottom, top),
        samples.cpu() * std + mean,
        target.cpu(),
        (model(samples).argmax(1) != target).cpu(),
        class_names,
        names or UNKNOWN,
    )


def probability_map(model: nn.Module, low: Tensor, high: Tensor, grid: int) -> Tensor:
    """Probability of each class between `low` and `high`, (2,) each: (grid, grid, K)."""
    steps = torch.linspace(0, 1, grid, device=low.device)[:, None]
    x, y = (low + steps * (high - low)).unbind(1)
    points = torch.stack([x.repeat(grid), y.repeat_interleave(grid)], dim=1)  # y slow, x fast
    return model(points).float().softmax(1).view(grid, grid, -1).cpu()


def surface_card(drawn: Surface) -> Any:
    """The surface on a card, with a legend beside it."""
    figure = new_card(drawn.title)
    wide = 178
    axes = axes_on(figure, 42, TOP + 2, wide, 147)
    names = [fit(name, WIDTH - 42 - wide - 22, SMALL) for name in drawn.class_names]
    _draw(axes, drawn, names, 7)
    few_ticks(axes)
    axes.set_xlabel(fit(drawn.names[0], wide))
    axes.set_ylabel(fit(drawn.names[1], 147))
    legend_beside(axes, handletextpad=0, labelspacing=0.7)
    return figure


def surface_frame(
    model: nn.Module,
    samples: Tensor,
    target: Tensor,
    class_names: Sequence[str],
    names: Sequence[str] | None,
    scales: Sequence[Sequence[float]] | None,
    writer: PreviewWriter,
) -> None:
    """One frame of the film `decision_surface`; the arguments are those of `surface`."""

    def draw() -> Any:
        drawn = surface(model, samples, target, class_names, names, scales, FILM_GRID)
        return surface_card(drawn)

    writer.frame("decision_surface", draw, FILM + CAPTION)


def surface_figure(drawn: Surface) -> Any:
    """The surface at full size."""
    title = drawn.title
    if len(drawn.class_names) == 2:
        title += f"; contours: {drawn.class_names[1]} at 10, 50, 90 %"
    figure = new_figure(6.4, 5.2, title)
    axes = figure.subplots()
    _draw(axes, drawn, drawn.class_names, 16)
    axes.set(xlabel=drawn.names[0], ylabel=drawn.names[1])
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    return figure


def _draw(axes: Any, drawn: Surface, class_names: Sequence[str], size: float) -> None:
    colour = class_colours(drawn.probability.shape[2])
    blend = 1 - 0.6 * (1 - drawn.probability @ colour)  # a paler mixture of the classes' colours
    axes.imshow(blend.numpy(), origin="lower", extent=drawn.extent, aspect="auto")
    if len(colour) == 2:
        _contours(axes, drawn.probability[..., 1], drawn.extent)
    for k, name in enumerate(class_names):
        of_class = drawn.target == k
        points, wrong = drawn.points[of_class], drawn.wrong[of_class]
        _scatter_class(axes, points, wrong, colour[k].tolist(), name, size)
    left, right, bottom, top = drawn.extent
    axes.set(xlim=(left, right), ylim=(bottom, top))


def _contours(axes: Any, probability: Tensor, extent: tuple[float, ...]) -> None:
    """Lines where one class has a probability of 10, 50 and 90 %."""
    axes.contour(
        probability.numpy(),
        levels=[0.1, 0.5, 0.9],
        extent=extent,
        colors="black",
        linewidths=[0.6, 1.4, 0.6],
        linestyles=["dotted", "solid", "dotted"],
    )


def _scatter_class(
    axes: Any, points: Tensor, wrong: Tensor, colour: Any, name: str, size: float
) -> None:
    """Samples of one class; misclassified ones are crosses."""
    x, y = points.unbind(1)
    axes.scatter(x[~wrong], y[~wrong], s=size, color=[colour], ec="white", lw=0.3, label=name)
    if bool(wrong.any()):
        style = {"s": 2 * size, "marker": "X", "ec": "black", "lw": 0.5}
        axes.scatter(x[wrong], y[wrong], color=[colour], label=f"{name}, wrong", **style)
