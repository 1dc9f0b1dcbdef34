"""Feature maps of one image, and where a convolutional model looks in the images it gets wrong.

Shapes: N images, C channels, H and W height and width, K classes.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.inference.feature_maps import Stage, grad_cam, stage_to_explain, stages
from zoo.tasks.base import PreviewWriter
from zoo.tasks.plots.card import (
    HEIGHT,
    LINE,
    SMALL,
    TOP,
    WIDTH,
    fit,
    new_card,
    new_figure,
    picture,
    shorten,
    to_pixels,
    write,
)
from zoo.tasks.plots.mistakes import worst_errors

COLUMNS = 3  # images, and channels of a stage, on a card
MORE = 8  # of them in the file
FINE = 96  # pixels that images and heat are enlarged to
MAPS = (
    "What {number} channels of a stage respond to in the image on the left, those that vary most "
    "over it; bright: strongly. Early stages see edges, late ones larger parts, more coarsely."
)
LOOKS = (
    "Where the evidence for a class is, by Grad-CAM at maps of {height}×{width} positions; "
    "yellow: most. Above: {upper}, below: {lower}. Evidence outside the object is a shortcut."
)


def draw_activations(
    model: nn.Module,
    images: Tensor,
    pixels: Tensor,
    logits: Tensor,
    target: Tensor,
    class_names: Sequence[str],
    writer: PreviewWriter,
) -> None:
    """The figures `feature_maps` and `looks_at`; nothing for a model that is not convolutional.

    Args:
        model: In evaluation mode.
        images: (N, C, H, W), standardised.
        pixels: The same images, to be drawn.
        logits: (N, K), the model's.
        target: Int64 (N,).
        class_names: Of the K classes.
        writer: Receives the figures.
    """
    found = stages(model, images[:1])
    if not found:
        return
    name = class_names[int(target[0])]
    card, full = (_maps(found, pixels[0], name, size) for size in (COLUMNS, MORE))
    writer.figure("feature_maps", card, full, MAPS.format(number=COLUMNS))
    chosen, are_errors = worst_errors(logits, target)
    chosen = chosen[:MORE]
    best = logits[chosen].topk(2, dim=1).indices  # (M, 2)
    pairs = torch.stack([best[:, 0], target[chosen] if are_errors else best[:, 1]])  # (2, M)
    stage = stage_to_explain(found)
    both = torch.cat([images[chosen]] * 2)
    heat = grad_cam(model, stage.module, both, pairs.flatten()).view(2, -1, *stage.maps.shape[2:])
    rows = ("predicted", "truth" if are_errors else "second")
    shown = [[overlay(pixels[i], part[k]) for k, i in enumerate(chosen)] for part in heat]
    names = [[class_names[k] for k in row] for row in pairs.tolist()]
    if are_errors:
        labels = [f"{true} → {predicted}" for predicted, true in zip(*names)]
    else:
        labels = [f"{first}, not {second}" for first, second in zip(*names)]
    title = "Where it looks in its worst errors" if are_errors else "Where it looks; no errors"
    card = _looks_card(title, shown, labels, rows)
    height, width = stage.maps.shape[2:]
    which = "the class predicted", "the true class" if are_errors else "the second best class"
    caption = LOOKS.format(height=height, width=width, upper=which[0], lower=which[1])
    plain = [overlay(pixels[i], None) for i in chosen]
    writer.figure("looks_at", card, _looks_full(title, [plain, *shown], labels, rows), caption)


def _maps(found: Sequence[Stage], image: Tensor, name: str, channels: int) -> Any:
    """A card with three stages, or a figure with all of them and more channels."""
    if channels == COLUMNS:
        few = sorted({0, (len(found) - 1) // 2, len(found) - 1})
        return _maps_card([found[k] for k in few], image, name)
    figure = new_figure(1.0 * channels + 1.2, 1.0 * len(found) + 0.6, f"Feature maps of a '{name}'")
    for axes, stage in zip(figure.subplots(len(found), 1, squeeze=False)[:, 0], found):
        axes.imshow(mosaic(_channels(stage, channels)))
        axes.set(xticks=[], yticks=[])
        _, number, height, width = stage.maps.shape
        axes.set_ylabel(f"{number} of\n{height}×{width}", rotation=0, ha="right", va="center")
    return figure


def _maps_card(found: Sequence[Stage], image: Tensor, name: str) -> Any:
    figure = new_card("Feature maps of one image")
    side, step = 66.0, (HEIGHT - TOP) / 3
    ratio = image.shape[1] / image.shape[2]
    wide, high = side / max(1, ratio), side * min(1, ratio)
    picture(figure, to_pixels(image).numpy(), 4, TOP, wide, high)
    write(figure, 4, TOP + high + 3, fit(name, side, SMALL), SMALL)
    names = {1: ["only"], 2: ["first", "last"], 3: ["first", "middle", "last"]}[len(found)]
    for row, (stage, place) in enumerate(zip(found, names)):
        top = TOP + row * step
        size = "×".join(map(str, stage.maps.shape[2:]))
        write(figure, 80, top + 10, f"{place}\n{size}", SMALL, linespacing=1.2)
        for k, pixels in enumerate(_channels(stage, COLUMNS)):
            wide, high = (step - 6) / max(1, ratio), (step - 6) * min(1, ratio)
            picture(figure, pixels, 124 + k * (step - 2), top, wide, high)
    return figure


def _channels(stage: Stage, number: int) -> list[Any]:
    """The channels that vary most over the image, as pixels on one scale."""
    from matplotlib import colormaps

    maps = stage.maps[0].float().cpu()
    chosen = maps.flatten(1).std(1).argsort(descending=True, stable=True)[:number]
    low, high = maps[chosen].amin(), maps[chosen].amax()
    scaled = (maps[chosen] - low) / (high - low).clamp(min=1e-12)
    return [colormaps["viridis"](one.numpy())[..., :3] for one in scaled]


def overlay(image: Tensor, heat: Tensor | None) -> Any:
    """An image (C, H, W) in grey under heat (H', W'), both enlarged: (H'', W'', 3) of 0..1."""
    from matplotlib import colormaps

    factor = math.ceil(FINE / max(image.shape[1:]))
    pixels = to_pixels(image).repeat_interleave(factor, 0).repeat_interleave(factor, 1)
    if heat is None:
        return pixels.numpy()
    size = tuple(pixels.shape[:2])
    large = F.interpolate(heat.float().cpu()[None, None], size, mode="bilinear")[0, 0]
    large = large / large.amax().clamp(min=1e-12)
    colour = torch.from_numpy(colormaps["inferno"](large.numpy())[..., :3]).float()
    grey = pixels.mean(2, keepdim=True).expand(-1, -1, 3)
    return (0.5 * grey + 0.5 * colour).numpy()


def mosaic(images: Sequence[Any], gap: float = 0.08) -> Any:
    """Images (H, W, 3) in a row, with white between them."""
    height, width = images[0].shape[:2]
    enlarged = max(1, math.ceil(24 / max(height, width)))
    between = max(1, round(gap * width * enlarged))
    row = []
    for image in images:
        large = torch.as_tensor(image).repeat_interleave(enlarged, 0).repeat_interleave(enlarged, 1)
        row += [large, torch.ones(len(large), between, 3)]
    return torch.cat(row[:-1], 1).numpy()


def _looks_card(
    title: str, shown: Sequence[Sequence[Any]], labels: Sequence[str], rows: Sequence[str]
) -> Any:
    figure = new_card(title)
    left, room = 16, (WIDTH - 20) / COLUMNS
    high = (HEIGHT - TOP - LINE - 8) / 2
    ratio = shown[0][0].shape[0] / shown[0][0].shape[1]
    high, wide = min(high, (room - 6) * ratio), min(room - 6, high / ratio)
    for row, (images, name) in enumerate(zip(shown, rows)):
        top = TOP + LINE + row * (high + 4)
        write(figure, 3, top + high / 2, name, SMALL, rotation=90, va="center")
        for k, image in enumerate(images[:COLUMNS]):
            middle = left + (k + 0.5) * room
            picture(figure, image, middle - wide / 2, top, wide, high)
    for k, label in enumerate(labels[:COLUMNS]):
        middle = left + (k + 0.5) * room
        write(figure, middle, TOP - 1, fit(label, room - 4, SMALL), SMALL, ha="center")
    return figure


def _looks_full(
    title: str, shown: Sequence[Sequence[Any]], labels: Sequence[str], rows: Sequence[str]
) -> Any:
    """Rows: the images, and the evidence for either class."""
    figure = new_figure(1.3 * len(labels) + 1.2, 4.8, title)
    ratio = shown[0][0].shape[1] * 1.0
    for axes, images, name in zip(figure.subplots(3, 1), shown, ("image", *rows)):
        row = mosaic(images)
        axes.imshow(row)
        axes.set(xticks=[], yticks=[])
        axes.set_ylabel(name)
        step = (row.shape[1] + max(1, round(0.08 * ratio))) / len(labels)
        if name == "image":
            for k, label in enumerate(labels):
                axes.text(
                    k * step + ratio / 2, -4, shorten(label, 24), ha="center", va="bottom", size=7
                )
    return figure
