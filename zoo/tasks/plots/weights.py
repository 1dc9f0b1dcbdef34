"""The weights of the first layer: images for image models, bars or cells for tables.

Shapes: N samples, C channels, H and W height and width, M filters or neurons, F features.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from zoo.tasks.base import PreviewWriter
from zoo.tasks.plots.card import (
    SMALL,
    TOP,
    WIDTH,
    axes_on,
    card_tiles,
    few_ticks,
    fit,
    new_card,
    new_figure,
    shorten,
    tiles,
    to_pixels,
    width_of,
)

MAX_FILTERS = 64
COLUMNS, ROWS = 6, 3  # of filters on a card
MAX_BARS, MAX_NEURONS = 8, 12  # features and neurons on a card
MAX_FEATURES = 60  # at full size
NAMES = 96  # pixels of a card for the names of features
FILTERS = "Weights of the first layer. Colours as in the image, or red: positive, blue: negative."
STRONGEST = " The card shows the largest ones (by Euclidean norm), the file the first ones."
BARS = (
    "Weights of a linear model: how much the log-odds of {name} rise when a feature rises by one "
    "standard deviation. Correlated features share their weight."
)
OUTPUT = (
    "Weights of a linear model: how much the output rises, in standard deviations of the target, "
    "when a feature rises by one. Correlated features share their weight."
)
CELLS = (
    "Weights from features (left) to neurons (across), largest features and neurons first, by "
    "Euclidean norm. Red: positive, blue: negative. A pale row is a feature hardly used."
)


PLURAL = {"filter": "filters", "neuron": "neurons", "class": "classes"}


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


def draw_filters(
    weights: Tensor, names: Sequence[str] | None, kind: str, writer: PreviewWriter
) -> None:
    """Weights as images: colours for three channels; else red positive, blue negative, zero white.

    Args:
        weights: (M, C, H, W).
        names: The class of each, or None for hidden neurons and filters.
        kind: What has such weights: filter, neuron, class.
        writer: Receives the figure.
    """
    weights = weights.float().cpu()
    few = min(len(weights), COLUMNS * ROWS if names is None else 10)
    caption = FILTERS + (STRONGEST if names is None and few < len(weights) else "")
    card = _filters_card(weights, names, kind, few)
    writer.figure("filters", card, _all_filters(weights, names, kind), caption)


def _filters_card(weights: Tensor, names: Sequence[str] | None, kind: str, few: int) -> Any:
    """The first few by name, or without names the few largest."""
    largest = weights.flatten(1).norm(dim=1).argsort(descending=True, stable=True)[:few]
    chosen = list(range(few)) if names is not None else sorted(largest.tolist())
    of = f"{few} of {len(weights)}" if few < len(weights) else f"{len(weights)}"
    columns, rows = (COLUMNS, ROWS) if names is None else (5, 2)
    room = WIDTH / columns - 4
    labels = [fit(names[k], room) for k in chosen] if names is not None else []
    images = [_image(weights[k]) for k in chosen]
    return card_tiles(f"First layer: {of} {PLURAL[kind]}", images, labels, columns, rows)


def _all_filters(weights: Tensor, names: Sequence[str] | None, kind: str) -> Any:
    """All of them, or the first of very many."""
    number = min(MAX_FILTERS, len(weights))
    title = f"First layer: weights of each {kind}"
    title += f" ({number} of {len(weights)})" if number < len(weights) else ""
    title += "" if weights.shape[1] == 3 else "\nred: positive, blue: negative"
    labels = [shorten(name, 14) for name in names[:number]] if names is not None else []
    return tiles(title, [_image(weight) for weight in weights[:number]], labels, 5 if names else 8)


def _image(weight: Tensor) -> Any:
    """(C, H, W) to pixels (H, W, 3)."""
    from matplotlib import colormaps

    if len(weight) == 3:
        return to_pixels(weight).numpy()
    flat = weight.mean(0)
    scaled = 0.5 + 0.5 * flat / flat.abs().max().clamp(min=1e-12)
    return colormaps["RdBu_r"](scaled.numpy())[..., :3]


def draw_table_weights(
    model: nn.Module,
    samples: Tensor,
    feature_names: Sequence[str] | None,
    class_names: Sequence[str] | None,
    writer: PreviewWriter,
) -> None:
    """The weights of features (N, F) in the first layer; nothing where it is no linear layer.

    Args:
        model: Takes `samples`.
        samples: (N, F).
        feature_names: Of the F columns; numbers where they have none.
        class_names: Of the outputs; None for regression.
        writer: Receives the figure.
    """
    layer = first_layer(model)
    if not isinstance(layer, nn.Linear) or samples.dim() != 2 or not samples.is_floating_point():
        return
    weights = layer.weight.detach().float().cpu()  # (M, F)
    if weights.shape[1] != samples.shape[1]:
        return
    names = list(feature_names or [])
    if len(names) != weights.shape[1]:
        names = [f"feature {k + 1}" for k in range(weights.shape[1])]
    if is_linear(model) and len(weights) <= 2:
        row = weights[-1] - weights[0] if len(weights) == 2 else weights[0]
        caption = BARS.format(name=class_names[-1]) if class_names else OUTPUT
        writer.figure("first_layer", *_bars(row, names), caption)
        return
    titles = list(class_names) if class_names and is_linear(model) else None
    writer.figure("first_layer", *_cells(weights, names, titles), CELLS)


def _bars(row: Tensor, names: Sequence[str]) -> tuple[Any, Any]:
    """A weight for each feature, the largest ones on the card."""
    order = row.abs().argsort(descending=True, stable=True).tolist()
    few = order[:MAX_BARS]
    title = "Weight of each feature"
    card = new_card(title if len(few) == len(order) else f"The {len(few)} largest weights")
    axes = axes_on(card, NAMES + 6, TOP + 2, WIDTH - NAMES - 18, 200 - TOP - 22)
    _draw_bars(axes, row[few], [fit(names[k], NAMES, SMALL) for k in few])
    few_ticks(axes)
    axes.set_yticks(range(len(few)), [fit(names[k], NAMES, SMALL) for k in few])
    order = order[:MAX_FEATURES]
    full = new_figure(7, 1.2 + 0.24 * len(order), title)
    _draw_bars(full.subplots(), row[order], [shorten(names[k], 30) for k in order])
    return card, full


def _draw_bars(axes: Any, row: Tensor, names: Sequence[str]) -> None:
    colours = ["#c44e52" if value > 0 else "#4c72b0" for value in row.tolist()]
    axes.barh(range(len(row)), row.tolist(), color=colours)
    axes.axvline(0, color="0.3", lw=0.8)
    axes.set_yticks(range(len(row)), names)
    axes.invert_yaxis()


def _cells(weights: Tensor, names: Sequence[str], titles: Sequence[str] | None) -> tuple[Any, Any]:
    """Weights (M, F) as cells, features down and neurons or classes across."""
    features = weights.norm(dim=0).argsort(descending=True, stable=True).tolist()
    neurons = list(range(len(weights)))
    if titles is None:
        neurons = weights.norm(dim=1).argsort(descending=True, stable=True).tolist()
    kind = "neurons" if titles is None else "classes"
    few, across = features[:MAX_BARS], neurons[:MAX_NEURONS]
    card = new_card(
        f"{len(few)} of {len(features)} features, {len(across)} of {len(neurons)} {kind}"
    )
    below = 16
    axes = axes_on(card, NAMES + 6, TOP + 2, WIDTH - NAMES - 12, 200 - TOP - 4 - below)
    room = (WIDTH - NAMES - 12) / len(across)
    labels = [fit(titles[k], room, SMALL) for k in across] if titles is not None else []
    if any(width_of(label, SMALL) > room for label in labels):
        labels = []
    _draw_cells(axes, weights[across][:, few], [fit(names[k], NAMES, SMALL) for k in few], labels)
    if titles is None:
        axes.set_xlabel(kind)
    features = features[:MAX_FEATURES]
    across = neurons[:MAX_FILTERS]
    full = new_figure(3 + 0.16 * len(across), 1.4 + 0.2 * len(features), f"Weights to {kind}")
    labels = [shorten(titles[k], 14) for k in across] if titles is not None else []
    cells = weights[across][:, features]
    _draw_cells(full.subplots(), cells, [shorten(names[k], 30) for k in features], labels)
    return card, full


def _draw_cells(axes: Any, cells: Tensor, names: Sequence[str], labels: Sequence[str]) -> None:
    """Cells (M, F)."""
    limit = float(cells.abs().max().clamp(min=1e-12))
    axes.imshow(cells.T.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(len(labels)), labels)
