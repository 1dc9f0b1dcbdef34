"""What a model has made of one feature: its curve, the samples, and the true function if known.

Shapes: N samples, G points of a grid.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from zoo.tasks.base import PreviewWriter
from zoo.tasks.plots.card import (
    CLASS_COLOURS,
    TOP,
    axes_on,
    few_ticks,
    fit,
    legend_beside,
    new_card,
    new_figure,
)

GRID = 400
MARGIN = 0.05  # beyond the samples, as a fraction of their range
FIT = "Blue: what the model predicts. Dots: samples, with their noise. "
TRUE = "Black: the function that they were drawn from."
FILM = "The fit at each validation; move the slider, or see the GIF in previews/. "


class Fit(NamedTuple):
    """What is drawn, in the units of the feature and of the target.

    Attributes:
        line: (G, 2), feature and prediction.
        points: (N, 2), feature and target.
        true: (P, 2), of the function; None where it is not known.
        name: Of the feature.
    """

    line: Tensor
    points: Tensor
    true: Tensor | None
    name: str

    @property
    def caption(self) -> str:
        """What is to be seen."""
        return FIT + (TRUE if self.true is not None else "")


def fitted(
    model: nn.Module,
    samples: Tensor,
    target: Tensor,
    target_scale: tuple[float, float],
    names: Sequence[str] | None,
    scales: Sequence[Sequence[float]] | None,
    true: Sequence[Sequence[float]] | None,
) -> Fit:
    """The model's curve over the range of the samples.

    Args:
        model: (N, 1) to (N, 1).
        samples: (N, 1), standardised.
        target: (N, 1), standardised.
        target_scale: Mean and standard deviation of the target.
        names, scales: Of the one feature: its name, its mean and standard deviation.
        true: Points of the function, in units.
    """
    low, high = samples.min(), samples.max()
    margin = MARGIN * (high - low).clamp(min=1e-6)
    steps = torch.linspace(0, 1, GRID, device=samples.device)[:, None]
    grid = low - margin + steps * (high - low + 2 * margin)  # (G, 1)
    mean, std = scales[0] if scales else (0.0, 1.0)

    def in_units(x: Tensor, y: Tensor) -> Tensor:
        x, y = x.cpu().double(), y.cpu().double()  # as many digits as the units need
        return torch.cat([x * std + mean, y * target_scale[1] + target_scale[0]], 1)

    line = in_units(grid, model(grid))
    known = torch.tensor(true) if true else None
    return Fit(line, in_units(samples, target), known, names[0] if names else "feature")


def draw_fit(drawn: Fit, writer: PreviewWriter) -> None:
    """A card and a full-size figure."""
    full = new_figure(7.4, 4.6, "Fit")
    axes = full.subplots()
    _draw(axes, drawn, 12)
    axes.set(xlabel=drawn.name, ylabel="target")
    axes.legend(frameon=False)
    writer.figure("fit", fit_card(drawn), full, drawn.caption)


def fit_card(drawn: Fit) -> Any:
    """The fit on a card."""
    figure = new_card("Fit")
    axes = axes_on(figure, 40, TOP + 2, 196, 146)
    _draw(axes, drawn, 4)
    few_ticks(axes)
    axes.set(xlabel=fit(drawn.name, 190), ylabel="target")
    legend_beside(axes, handlelength=1.2, handletextpad=0.4)
    return figure


def _draw(axes: Any, drawn: Fit, size: float) -> None:
    x, y = drawn.points.unbind(1)
    axes.scatter(x, y, s=size, color="0.6", lw=0, label="samples")
    axes.plot(*drawn.line.unbind(1), color=CLASS_COLOURS[0], lw=1.8, label="model")
    if drawn.true is not None:
        axes.plot(*drawn.true.unbind(1), color="black", lw=0.7, label="true")
    low, high = float(y.min()), float(y.max())
    margin = 2 * MARGIN * ((high - low) or 1.0)
    axes.set(ylim=(low - margin, high + margin))  # the same in each frame of a film
