"""PreviewWriter that tasks draw: confusion, worst mistakes, fit; those of the model beside them.

Matplotlib's objects alone (no pyplot, no global state), imported where they are used: a run that
is killed before its first preview never pays for them.
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

MOST_MISTAKES = 16
COUNTS_UP_TO = 30  # classes whose confusions are written as numbers; names up to twice as many


def classification_plots(
    model: nn.Module,
    batch: Batch,
    means: dict[str, Tensor],
    class_names: Sequence[str],
    writer: PreviewWriter,
    feature_names: Sequence[str] | None = None,
    feature_scales: Sequence[Sequence[float]] | None = None,
) -> None:
    """Everything that the kind of input allows.

    Args:
        model: In evaluation mode; (N, ...) to logits (N, K).
        batch: `input` (N, ...) and `target` (N,) int64.
        means: Of an evaluation: `confusion` (K, K) as shares of `count` samples.
        class_names: Of the K classes.
        writer: Receives the figure.
        feature_names: Of a table's columns.
        feature_scales: Mean and deviation that each column was standardised by.
    """
    samples, target = batch["input"], batch["target"]
    counts = (means["confusion"] * means["count"]).round().long()
    writer.figure("confusion", confusion(counts.cpu(), class_names))
    if samples.dim() == 4:
        logits = model(samples).float()
        writer.figure("mistakes", mistakes(samples, logits, target, class_names))
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


def regression_plots(predicted: Tensor, target: Tensor, writer: PreviewWriter) -> None:
    """Predicted against true values, (N, O) each, in the target's units."""
    writer.figure("predicted_vs_true", predicted_vs_true(predicted.cpu(), target.cpu()))


def confusion(counts: Tensor, class_names: Sequence[str]) -> Any:
    """True classes down, predicted across; each row coloured by the share of its samples.

    What is right is blue, what is wrong red and on a steeper scale, so that a few errors show.

    Args:
        counts: Int64 (K, K), [true, predicted].
        class_names: Of the K classes.
    """
    from matplotlib import colormaps

    number, total = len(counts), int(counts.sum())
    right = int(counts.diag().sum())
    size = min(11.0, 2.6 + 0.42 * max(number, 5))
    figure = new_figure(size + 0.3, size, f"{right:,} of {total:,} right ({right / total:.2%})")
    axes = figure.subplots()
    share = counts / counts.sum(1, keepdim=True).clamp(min=1)
    colours = torch.from_numpy(colormaps["Reds"](0.75 * share.sqrt().numpy()))
    on = torch.eye(number, dtype=torch.bool)
    colours[on] = torch.from_numpy(colormaps["Blues"](0.8 * share.diag().numpy()))
    colours[(counts == 0) & ~on] = 1.0
    axes.imshow(colours.numpy(), aspect="equal")
    if number <= COUNTS_UP_TO:
        letter = 9 if number <= 12 else 6.5
        for true, said in counts.nonzero().tolist():
            dark = share[true, said] > (0.6 if true == said else 0.4)
            axes.text(
                said,
                true,
                f"{int(counts[true, said])}",
                ha="center",
                va="center",
                fontsize=letter,
                color="white" if dark else "black",
            )
    _name_classes(axes, class_names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    return figure


def _name_classes(axes: Any, class_names: Sequence[str]) -> None:
    """Ticks with the names, as long as there is room for them."""
    if len(class_names) > 2 * COUNTS_UP_TO:
        return
    names = [shorten(name, 14) for name in class_names]
    letter = 9 if len(names) <= 12 else 6.5
    room = 5 / max(len(names), 5)  # of what five names may take
    slanted = max(map(len, names)) > 12 * room
    axes.set_xticks(range(len(names)), names, rotation=45 if slanted else 0, fontsize=letter)
    axes.set_yticks(range(len(names)), names, fontsize=letter)
    if slanted:
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")


def pick_mistakes(logits: Tensor, target: Tensor) -> tuple[Tensor, bool]:
    """The errors of the highest loss, worst first; without errors, the least certain samples.

    Returns:
        Indices int64 (M,), and whether they are errors.
    """
    wrong = (logits.argmax(1) != target).nonzero()[:, 0]
    if len(wrong):
        loss = F.cross_entropy(logits[wrong], target[wrong], reduction="none")
        return wrong[loss.argsort(descending=True)][:MOST_MISTAKES], True
    certainty = logits.softmax(1).amax(1)
    return certainty.argsort()[:MOST_MISTAKES], False


def mistakes(images: Tensor, logits: Tensor, target: Tensor, class_names: Sequence[str]) -> Any:
    """A grid of the images that the model gets most wrong.

    Args:
        images: (N, C, H, W), standardised.
        logits: (N, K).
        target: Int64 (N,).
        class_names: Of the K classes.
    """
    chosen, errors = pick_mistakes(logits, target)
    total = int((logits.argmax(1) != target).sum())
    title = f"The worst of {total} mistakes" if total > len(chosen) else f"{total} mistakes"
    title = title.removesuffix("s") if total == 1 else title
    title = title if errors else "No mistake; the least certain"
    labels = []
    for row, true in zip(logits[chosen].softmax(1).cpu(), target[chosen].tolist()):
        said = int(row.argmax())
        names = [shorten(class_names[k], 12) for k in (true, said)]
        labels.append(f"true {names[0]}\nsaid {names[1]} {float(row[said]):.0%}")
    tiled = [to_pixels(image).numpy() for image in images[chosen]]
    return tiles(f"{title} of {len(images):,} samples", tiled, labels, 4)


def predicted_vs_true(predicted: Tensor, target: Tensor) -> Any:
    """A point per prediction; on the line it would be perfect.

    Args:
        predicted, target: (N, O), in the target's units; each of the O outputs has its colour.
    """
    rmse = float(to_float64(predicted - target).square().mean().sqrt())
    figure = new_figure(5.4, 5.2, f"{len(target):,} samples, root mean squared error {rmse:.4g}")
    axes = figure.subplots()
    both = torch.cat([predicted, target])
    low, high = float(both.min()), float(both.max())
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
