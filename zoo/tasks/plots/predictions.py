"""What a classifier gets drawn, by its kind of input.

Matplotlib's objects alone (no pyplot, no global state), imported where they are used: a run that
stops before its first preview does not pay for them.
Shapes: N samples, K classes.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from zoo.tasks.base import Batch, PreviewWriter
from zoo.tasks.plots import confusion, mistakes, surface
from zoo.tasks.plots.activations import draw_activations
from zoo.tasks.plots.pairs import draw_pairs
from zoo.tasks.plots.weights import (
    draw_filters,
    draw_table_weights,
    first_layer,
    first_layer_images,
    is_linear,
)


def classification_plots(
    model: nn.Module,
    batch: Batch,
    means: dict[str, Tensor],
    class_names: Sequence[str],
    writer: PreviewWriter,
    feature_names: Sequence[str] | None = None,
    feature_scales: Sequence[Sequence[float]] | None = None,
    pixels: Tensor | None = None,
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
        pixels: The images of the batch, to be drawn; None for `input` itself.
    """
    samples, target = batch["input"], batch["target"]
    counts = (means["confusion"] * means["count"]).round().long().cpu()
    card = confusion.confusion_card(counts, class_names)
    full = confusion.confusion(counts, class_names)
    writer.figure("confusion", card, full, confusion.CAPTION)
    if samples.dim() == 4:
        shown = samples if pixels is None else pixels
        _image_plots(model, samples, shown, target, class_names, writer)
    elif has_two_features(samples):
        drawn = surface.surface(model, samples, target, class_names, feature_names, feature_scales)
        figures = surface.surface_card(drawn), surface.surface_figure(drawn)
        writer.figure("decision_surface", *figures, surface.CAPTION)
    draw_table_weights(model, samples, feature_names, class_names, writer)
    draw_pairs(model, samples, feature_names, class_names, writer)


def has_two_features(samples: Tensor) -> bool:
    """Whether samples (N, 2) are points of a plane."""
    return samples.is_floating_point() and samples.dim() == 2 and samples.shape[1] == 2


def _image_plots(
    model: nn.Module,
    images: Tensor,
    pixels: Tensor,
    target: Tensor,
    class_names: Sequence[str],
    writer: PreviewWriter,
) -> None:
    logits = model(images).float()
    figures = mistakes.mistakes(pixels, logits, target, class_names)
    writer.figure("mistakes", *figures, mistakes.CAPTION)
    if (weights := first_layer_images(model, images)) is not None:
        names = class_names if len(weights) == len(class_names) and is_linear(model) else None
        hidden = "neuron" if isinstance(first_layer(model), nn.Linear) else "filter"
        draw_filters(weights, names, "class" if names else hidden, writer)
    draw_activations(model, images, pixels, logits, target, class_names, writer)
