"""Plots of predictions: confusion matrix, worst errors, predicted against true values.

Matplotlib's objects alone (no pyplot, no global state), imported where they are used: a run that
stops before its first preview does not pay for them.
Shapes: N samples, K classes, C channels, H and W height and width.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.tasks.base import Batch, PreviewWriter, to_float64
from zoo.tasks.plots.model import (
    CLASS_COLOURS,
    MARGIN,
    decision_surface,
    filters,
    first_layer_images,
    is_linear,
    new_figure,
    shorten,
    tiles,
    to_pixels,
)

MAX_ERRORS = 16
MAX_COUNTS = 30  # classes whose counts are written as numbers; names up to twice as many


def classification_plots(
    model: nn.Module,
    batch: Batch,
    means: dict[str, Tensor],
    class_names: Sequence[str],
    writer: PreviewWriter,
    feature_names: Sequence[str] | None = None,
    feature_scales: Sequence[Sequence[float]] | None = None,
) -> None:
    """All plots that the kind of input allows.

    Args:
        model: In evaluation mode; (N, ...) to logits (N, K).
        batch: `input` (N, ...) and `target` (N,) int64.
        means: Of an evaluation: `confusion` (K, K) as fractions of `count` samples.
        class_names: Of the K classes.
        writer: Receives the figure.
        feature_names: Of a table's columns.
        feature_scales: Mean and standard deviation of each column before standardisation.
    """
    samples, target = batch["input"], batch["target"]
    counts = (means["confusion"] * means["count"]).round().long()
    writer.figure("confusion", confusion(counts.cpu(), class_names))
    if samples.dim() == 4:
        logits = model(samples).float()
        writer.figure("mistakes", errors_grid(samples, logits, target, class_names))
    if samples.is_floating_point() and samples.dim() == 2 and samples.shape[1] == 2:
        figure = decision_surface(
            model,
            samples,
            target,
            class_names,
            feature_names or ("feature 1, standardised", "feature 2, standardised"),
            feature_scales or ((0, 1), (0, 1)),
        )
        writer.figure("decision_surface", figure)
    if (weights := first_layer_images(model, samples)) is not None:
        names = class_names if len(weights) == len(class_names) and is_linear(model) else None
        writer.figure("filters", filters(weights, names))


def regression_plots(
    predicted: Tensor, target: Tensor, writer: PreviewWriter, name: str = ""
) -> None:
    """Predicted against true values, (N, O) each, in the target's units; of one target by name."""
    tag = f"predicted_vs_true/{name}" if name else "predicted_vs_true"
    writer.figure(tag, predicted_vs_true(predicted.cpu(), target.cpu()))


def confusion(counts: Tensor, class_names: Sequence[str]) -> Any:
    """True classes down, predicted classes across; shades are fractions of the row.

    Correct predictions are blue, errors red on a steeper scale, so that a few errors are visible.

    Args:
        counts: Int64 (K, K), [true, predicted].
        class_names: Of the K classes.
    """
    from matplotlib import colormaps

    number, total = len(counts), int(counts.sum())
    correct = int(counts.diag().sum())
    size = min(11.0, 2.6 + 0.42 * max(number, 5))
    title = f"{correct:,} of {total:,} correct ({correct / total:.2%})"
    figure = new_figure(size + 0.3, size, title)
    axes = figure.subplots()
    fraction = counts / counts.sum(1, keepdim=True).clamp(min=1)
    colours = torch.from_numpy(colormaps["Reds"](0.75 * fraction.sqrt().numpy()))
    diagonal = torch.eye(number, dtype=torch.bool)
    colours[diagonal] = torch.from_numpy(colormaps["Blues"](0.8 * fraction.diag().numpy()))
    colours[(counts == 0) & ~diagonal] = 1.0
    axes.imshow(colours.numpy(), aspect="equal")
    if number <= MAX_COUNTS:
        font_size = 9 if number <= 12 else 6.5
        for true, predicted in counts.nonzero().tolist():
            dark = fraction[true, predicted] > (0.6 if true == predicted else 0.4)
            axes.text(
                predicted,
                true,
                f"{int(counts[true, predicted])}",
                ha="center",
                va="center",
                fontsize=font_size,
                color="white" if dark else "black",
            )
    _name_classes(axes, class_names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    return figure


def _name_classes(axes: Any, class_names: Sequence[str]) -> None:
    """Tick labels with the names, if there is space for them."""
    if len(class_names) > 2 * MAX_COUNTS:
        return
    names = [shorten(name, 14) for name in class_names]
    font_size = 9 if len(names) <= 12 else 6.5
    space = 5 / max(len(names), 5)  # relative to that of one of five names
    slanted = max(map(len, names)) > 12 * space
    axes.set_xticks(range(len(names)), names, rotation=45 if slanted else 0, fontsize=font_size)
    axes.set_yticks(range(len(names)), names, fontsize=font_size)
    if slanted:
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")


def worst_errors(logits: Tensor, target: Tensor) -> tuple[Tensor, bool]:
    """The errors with the highest loss, worst first; without errors, the least certain samples.

    Returns:
        Indices int64 (M,), and whether they are errors.
    """
    wrong = (logits.argmax(1) != target).nonzero()[:, 0]
    if len(wrong):
        loss = F.cross_entropy(logits[wrong], target[wrong], reduction="none")
        return wrong[loss.argsort(descending=True)][:MAX_ERRORS], True
    confidence = logits.softmax(1).amax(1)
    return confidence.argsort()[:MAX_ERRORS], False


def errors_grid(images: Tensor, logits: Tensor, target: Tensor, class_names: Sequence[str]) -> Any:
    """A grid of the misclassified images with the highest loss.

    Args:
        images: (N, C, H, W), standardised.
        logits: (N, K).
        target: Int64 (N,).
        class_names: Of the K classes.
    """
    chosen, are_errors = worst_errors(logits, target)
    total = int((logits.argmax(1) != target).sum())
    title = f"{len(chosen)} of {total} errors, highest loss first"
    if total == len(chosen):
        title = f"{total} error{'s' * (total > 1)}"
    title = title if are_errors else "No errors; least confident predictions"
    labels = []
    for probabilities, true in zip(logits[chosen].softmax(1).cpu(), target[chosen].tolist()):
        predicted = int(probabilities.argmax())
        names = [shorten(class_names[k], 12) for k in (true, predicted)]
        labels.append(f"true {names[0]}\npred. {names[1]} {float(probabilities[predicted]):.0%}")
    pixels = [to_pixels(image).numpy() for image in images[chosen]]
    return tiles(f"{title} ({len(images):,} samples)", pixels, labels, 4)


def predicted_vs_true(predicted: Tensor, target: Tensor) -> Any:
    """Scatter plot of predicted against true values, with the identity line.

    Args:
        predicted, target: (N, O), in the target's units; each of the O outputs in its own colour.
    """
    rmse = float(to_float64(predicted - target).square().mean().sqrt())
    title = f"{len(target):,} samples, root mean squared error {rmse:.4g}"
    finite = (predicted.isfinite() & target.isfinite()).all(1)
    if not bool(finite.all()):
        predicted, target = predicted[finite], target[finite]
        title += f"\n{int((~finite).sum()):,} values that are not finite are not drawn"
    figure = new_figure(5.4, 5.2, title)
    axes = figure.subplots()
    values = torch.cat([predicted, target])
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    margin = MARGIN * ((high - low) or 1.0)
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color="0.6", lw=1, zorder=0, label="perfect")
    for k in range(target.shape[1]):
        name = f"output {k}" if target.shape[1] > 1 else "samples"
        colour = CLASS_COLOURS[k % len(CLASS_COLOURS)]
        axes.scatter(target[:, k], predicted[:, k], s=14, color=colour, alpha=0.7, lw=0, label=name)
    axes.set(xlabel="true", ylabel="predicted", xlim=limits, ylim=limits, aspect="equal")
    axes.legend(loc="upper left", frameon=False)
    return figure
