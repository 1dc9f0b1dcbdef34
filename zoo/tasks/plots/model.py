"""Plots of a model itself: decision surface, filters of the first layer; parts of other plots.

Shapes: N samples, K classes, C channels, H and W height and width, M filters or neurons.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

MAX_FILTERS = 64
GRID = 120  # points along each axis of a decision surface
MARGIN = 0.05  # beyond the samples, as a fraction of their range
CLASS_COLOURS = ("#3b6fb6", "#d1495b", "#3c9d6b", "#e0a030", "#7a5ca8", "#8c6d5a", "#4bb3c4")


def new_figure(width: float, height: float, title: str) -> Any:
    """A figure of this size in inches, outside pyplot's global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    figure.suptitle(title, fontsize=11)
    return figure


def tiles(title: str, images: Sequence[Any], labels: Sequence[str], columns: int) -> Any:
    """A grid of images in one set of axes: far cheaper than axes for each.

    Args:
        title: Of the figure.
        images: Each (H, W, 3), 0..1.
        labels: One or two lines below each image; empty for none.
        columns: Of the grid, at most.
    """
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    ratio = images[0].shape[0] / images[0].shape[1]
    column_width, label_height = (1.08, 0.42) if labels else (1.1, 0.1)  # in widths of an image
    inches = 1.4 if labels else 0.75
    row_height = ratio + label_height
    width = max(4.6, inches * column_width * columns + 0.2)
    figure = new_figure(width, inches * row_height * rows + 0.7, title)
    axes = figure.subplots()
    axes.set_axis_off()
    for k, image in enumerate(images):
        x, y = k % columns * column_width, k // columns * row_height
        axes.imshow(image, extent=(x, x + 1, y + ratio, y), interpolation="nearest")
        if labels:
            axes.text(x + 0.5, y + ratio + 0.04, labels[k], ha="center", va="top", fontsize=8)
    axes.set(xlim=(0, columns * column_width), ylim=(rows * row_height, 0), aspect="equal")
    return figure


def shorten(text: str, most: int) -> str:
    """The text, cut to at most `most` letters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def to_pixels(image: Tensor) -> Tensor:
    """(C, H, W) of any range to (H, W, 3) of 0..1; grey unless C is 3."""
    image = image.detach().float().cpu()
    low, high = image.amin(), image.amax()
    image = (image - low) / (high - low).clamp(min=1e-12)
    image = image if len(image) == 3 else image.mean(0).expand(3, -1, -1)
    return image.permute(1, 2, 0)


def probability_map(model: nn.Module, low: Tensor, high: Tensor) -> Tensor:
    """Probability of each class between `low` and `high`, (2,) each: (GRID, GRID, K)."""
    steps = torch.linspace(0, 1, GRID, device=low.device)[:, None]
    x, y = (low + steps * (high - low)).unbind(1)
    points = torch.stack([x.repeat(GRID), y.repeat_interleave(GRID)], dim=1)  # y slow, x fast
    return model(points).float().softmax(1).view(GRID, GRID, -1).cpu()


def class_colours(number: int) -> Tensor:
    """RGB of each of K classes, (K, 3); colours repeat after the seventh."""
    from matplotlib.colors import to_rgb

    palette = torch.tensor([to_rgb(colour) for colour in CLASS_COLOURS])
    return palette[torch.arange(number) % len(palette)]


def decision_surface(
    model: nn.Module,
    samples: Tensor,
    target: Tensor,
    class_names: Sequence[str],
    names: Sequence[str],
    scales: Sequence[Sequence[float]],
) -> Any:
    """Predicted class probabilities over the plane of two features, and the samples.

    Args:
        model: (N, 2) to logits (N, K).
        samples: (N, 2), standardised.
        target: Int64 (N,).
        class_names: Of the K classes.
        names: Of the two features.
        scales: Mean and standard deviation of each feature, to plot it in its own units.
    """
    low, high = samples.amin(0), samples.amax(0)
    margin = MARGIN * (high - low).clamp(min=1e-6)
    low, high = low - margin, high + margin
    probability = probability_map(model, low, high)
    colour = class_colours(probability.shape[2])
    blend = 1 - 0.6 * (1 - probability @ colour)  # a paler mixture of the classes' colours
    mean, std = torch.tensor([list(scale) for scale in scales], dtype=torch.float32).unbind(1)
    left, bottom = (low.cpu() * std + mean).tolist()
    right, top = (high.cpu() * std + mean).tolist()

    wrong = (model(samples).argmax(1) != target).cpu()
    title = f"{len(samples) - int(wrong.sum()):,} of {len(samples):,} samples correct"
    if len(class_names) == 2:
        title += f"; contours: {class_names[1]} at 10, 50, 90 %"
    figure = new_figure(6.4, 5.2, title)
    axes = figure.subplots()
    extent = (left, right, bottom, top)
    axes.imshow(blend.numpy(), origin="lower", extent=extent, aspect="auto")
    if probability.shape[2] == 2:
        _contours(axes, probability[..., 1], extent)
    points, target = samples.cpu() * std + mean, target.cpu()
    for k, name in enumerate(class_names):
        _scatter_class(axes, points[target == k], wrong[target == k], colour[k].tolist(), name)
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel=names[0], ylabel=names[1])
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    return figure


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


def _scatter_class(axes: Any, points: Tensor, wrong: Tensor, colour: Any, name: str) -> None:
    """Samples of one class; misclassified ones are crosses."""
    x, y = points.unbind(1)
    axes.scatter(x[~wrong], y[~wrong], s=16, color=[colour], ec="white", lw=0.5, label=name)
    if bool(wrong.any()):
        label = f"{name}, misclassified"
        axes.scatter(x[wrong], y[wrong], s=42, color=[colour], ec="black", marker="X", label=label)


def first_layer(model: nn.Module) -> nn.Module | None:
    """The first module with parameters of its own, in order of definition."""
    layers = (m for m in model.modules() if any(True for _ in m.parameters(recurse=False)))
    return next(layers, None)


def is_linear(model: nn.Module) -> bool:
    """Whether one linear layer has all parameters of the model."""
    layer = first_layer(model)
    in_layer = sum(p.numel() for p in layer.parameters()) if layer is not None else 0
    return isinstance(layer, nn.Linear) and in_layer == sum(p.numel() for p in model.parameters())


def first_layer_images(model: nn.Module, samples: Tensor) -> Tensor | None:
    """Weights of the first layer as images (M, C, H, W), or None if they are not.

    Filters of a convolution over pixels, at least 2 wide; or the weights of each neuron of a linear
    layer over flattened images.
    """
    layer = first_layer(model)
    if samples.dim() != 4 or layer is None:
        return None
    if isinstance(layer, nn.Conv2d) and layer.in_channels == samples.shape[1]:
        return layer.weight.detach() if min(layer.kernel_size) > 1 else None
    if isinstance(layer, nn.Linear) and layer.in_features == samples[0].numel():
        return layer.weight.detach().view(-1, *samples.shape[1:])
    return None


def filters(weights: Tensor, names: Sequence[str] | None) -> Any:
    """Weights as images: colours for three channels; else red positive, blue negative, zero white.

    Args:
        weights: (M, C, H, W).
        names: The class of each, or None for hidden neurons and filters.
    """
    from matplotlib import colormaps

    shown = weights[:MAX_FILTERS].float().cpu()
    images = []
    for weight in shown:
        if len(weight) == 3:
            images.append(to_pixels(weight).numpy())
        else:
            flat = weight.mean(0)
            scaled = 0.5 + 0.5 * flat / flat.abs().max().clamp(min=1e-12)
            images.append(colormaps["RdBu_r"](scaled.numpy())[..., :3])
    title = "First layer: weights of each " + ("class" if names else "filter")
    title += f" ({len(shown)} of {len(weights)})" if len(shown) < len(weights) else ""
    title += "" if weights.shape[1] == 3 else "\nred: positive, blue: negative"
    labels = [shorten(name, 14) for name in names[: len(shown)]] if names else []
    return tiles(title, images, labels, 5 if names else 8)
