"""Predicted against true values, and the errors.

Shapes: N samples, O outputs.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.tasks.base import PreviewWriter, to_float64
from zoo.tasks.plots.card import (
    CLASS_COLOURS,
    SMALL,
    TOP,
    axes_on,
    few_ticks,
    legend_beside,
    new_card,
    new_figure,
)

MARGIN = 0.05  # beyond the values, as a fraction of their range
PREDICTED = (
    "Grey line: perfect predictions. Dashed line: always the mean of the training targets, which a "
    "useful model beats."
)
RESIDUALS = (
    "Predicted minus true. Good: a level band around zero. A slope or a curve is something that "
    "the model has missed; a funnel is an error that grows with the value."
)


def regression_plots(
    predicted: Tensor,
    target: Tensor,
    means: Sequence[float],
    writer: PreviewWriter,
    name: str = "",
) -> None:
    """Predicted against true values, and residuals.

    Args:
        predicted, target: (N, O), in the target's units.
        means: Of the training targets, one or O.
        writer: Receives the figures.
        name: Of the target, where there are several.
    """
    of = f"/{name}" if name else ""
    predicted, target = predicted.cpu(), target.cpu()
    mean = torch.tensor(list(means), dtype=torch.float64).expand(target.shape[1])
    card = _card(predicted, target, mean)
    full = predicted_vs_true(predicted, target, mean)
    writer.figure(f"predicted_vs_true{of}", card, full, PREDICTED)
    writer.figure(f"residuals{of}", *residuals(predicted, target), RESIDUALS)


def _finite(predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor, str]:
    finite = (predicted.isfinite() & target.isfinite()).all(1)
    if bool(finite.all()):
        return predicted, target, ""
    note = f"{int((~finite).sum()):,} values that are not finite are not drawn"
    return predicted[finite], target[finite], note


def _rmse(predicted: Tensor, target: Tensor) -> float:
    return float(to_float64(predicted - target).square().mean().sqrt())


def _card(predicted: Tensor, target: Tensor, mean: Tensor) -> Any:
    error, of_mean = _rmse(predicted, target), _rmse(mean.expand_as(target), target)
    figure = new_card(f"RMSE {error:.4g}; always the mean: {of_mean:.4g}")
    predicted, target, note = _finite(predicted, target)
    axes = axes_on(figure, 46, TOP + 2, 146, 146)
    _scatter(axes, predicted, target, mean, 5)
    few_ticks(axes)
    axes.set(xlabel="true", ylabel="predicted")
    legend_beside(axes, handlelength=1.4, handletextpad=0.4)
    if note:
        axes.set_title(note.removesuffix(" are not drawn"), fontsize=SMALL, pad=2)
    return figure


def predicted_vs_true(predicted: Tensor, target: Tensor, mean: Tensor) -> Any:
    """Scatter plot of predicted against true values, with the identity line, at full size.

    Args:
        predicted, target: (N, O), in the target's units; each of the O outputs in its own colour.
        mean: (O,), what a model without inputs would predict.
    """
    title = f"{len(target):,} samples, root mean squared error {_rmse(predicted, target):.4g}"
    predicted, target, note = _finite(predicted, target)
    figure = new_figure(5.4, 5.2, f"{title}\n{note}" if note else title)
    axes = figure.subplots()
    _scatter(axes, predicted, target, mean, 14)
    axes.set(xlabel="true", ylabel="predicted", aspect="equal")
    axes.legend(loc="upper left", frameon=False)
    return figure


def _scatter(axes: Any, predicted: Tensor, target: Tensor, mean: Tensor, size: float) -> None:
    values = torch.cat([predicted, target])
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    margin = MARGIN * ((high - low) or 1.0)
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color="0.6", lw=1, zorder=0, label="perfect")
    for k in range(target.shape[1]):
        name = f"output {k}" if target.shape[1] > 1 else "samples"
        colour = CLASS_COLOURS[k % len(CLASS_COLOURS)]
        label = "mean" if k == 0 else None
        style = {"color": colour if target.shape[1] > 1 else "0.3", "lw": 1, "ls": "--"}
        axes.axhline(float(mean[k]), **style, zorder=0, label=label)
        points = {"s": size, "color": colour, "alpha": 0.7, "lw": 0, "label": name}
        axes.scatter(target[:, k], predicted[:, k], **points)
    axes.set(xlim=limits, ylim=limits)


def residuals(predicted: Tensor, target: Tensor) -> tuple[Any, Any]:
    """Errors against predicted values: a card and a full-size figure with their histogram."""
    predicted, target, _ = _finite(predicted, target)
    error = predicted - target
    bias = float(error.double().mean()) if len(error) else 0.0
    title = f"Error: mean {bias:+.3g}, RMSE {_rmse(predicted, target):.3g}"
    card = new_card(title)
    axes = axes_on(card, 50, TOP + 2, 240, 146)
    _scatter_errors(axes, predicted, error, 5)
    few_ticks(axes)
    axes.set(xlabel="predicted", ylabel="predicted − true")
    full = new_figure(8.4, 4.4, title)
    left, right = full.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    _scatter_errors(left, predicted, error, 14)
    left.set(xlabel="predicted", ylabel="predicted − true")
    for k in range(error.shape[1]):
        style = {"color": CLASS_COLOURS[k % len(CLASS_COLOURS)], "alpha": 0.6}
        right.hist(error[:, k].tolist(), bins=25, orientation="horizontal", **style)
    right.set_xlabel("samples")
    return card, full


def _scatter_errors(axes: Any, predicted: Tensor, error: Tensor, size: float) -> None:
    for k in range(error.shape[1]):
        style = {"s": size, "color": CLASS_COLOURS[k % len(CLASS_COLOURS)], "alpha": 0.7, "lw": 0}
        axes.scatter(predicted[:, k], error[:, k], **style)
    axes.axhline(0, color="0.3", lw=1)
