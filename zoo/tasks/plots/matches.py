"""Images with the captions nearest to them, and the similarities of images and captions.

Shapes: N samples, G different captions, D width, C channels, H and W height and width.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoo.tasks.capabilities import PreviewWriter
from zoo.tasks.plots.card import (
    HEIGHT,
    SMALL,
    TEXT,
    WIDTH,
    axes_on,
    fit,
    new_card,
    new_figure,
    picture,
    shorten,
    to_pixels,
    write,
)

SHOWN, ROWS = 12, 3  # images with captions in full, on a card
BEST = 3  # captions of an image
SIDE = 8  # images and captions of a matrix on a card
MOST = 24  # in full
RIGHT, WRONG = "#2a7a4f", "#333333"
CAPTION = (
    "The captions of the split that are nearest to an image, and their probabilities among all. "
    "The right one is green; it is the last where it is not among the first two."
)
MATRIX = (
    "Cosines of images (columns) and captions (rows); right pairs lie on the diagonal. A bright "
    "row is a caption that fits everything."
)


class Match(NamedTuple):
    """An image and the captions nearest to it: text, probability, whether it is right."""

    image: Any
    captions: list[tuple[str, float, bool]]


def draw_matches(
    inputs: Tensor,
    images: Tensor,
    texts: Tensor,
    group: Tensor,
    image_of: Tensor | None,
    names: Sequence[str],
    writer: PreviewWriter,
) -> None:
    """Draw both for a part of a split.

    Args:
        inputs: The images, (N, C, H, W), to be drawn.
        images: Their vectors, one over the temperature long, (N, D).
        texts: Vectors of the captions, of length 1, (N, D).
        group: Number of each caption, (N,).
        image_of: Number of each image, the same for equal ones, (N,); None where all differ.
        names: The captions, N.
        writer: Receives the figures.
    """
    group = group.cpu()
    image_of = torch.arange(len(group)) if image_of is None else image_of.cpu()
    first = _first_of_each(group)  # (G,)
    shown = first[_first_of_each(image_of[first])]  # no image twice
    few = shown[torch.linspace(0, len(shown) - 1, min(MOST, len(shown))).round().long()]
    own = [torch.isin(group[first], group[image_of == image_of[k]]) for k in few[:SHOWN]]  # (G,)
    found = _matches(inputs, images.cpu(), texts.cpu(), own, names, first, few[:SHOWN])
    title = f"Nearest of {len(first):,} captions"
    writer.figure("captions", _card(found[:ROWS], title), _full(found, title), CAPTION)
    if len(few) > 1:
        near = torch.nn.functional.normalize(images.cpu(), dim=1)[few] @ texts.cpu()[few].T
        pixels = [to_pixels(inputs[k]).numpy() for k in few.tolist()]
        labels = [names[k] for k in few.tolist()]
        step = max(1, len(few) // SIDE)
        some = slice(0, step * SIDE, step)
        card = _matrix_card(near.T[some, some], pixels[some], labels[some])
        writer.figure("similarities", card, _matrix(near.T, pixels, labels), MATRIX)


def _first_of_each(group: Tensor) -> Tensor:
    """The number of the first sample of each group, in the order of the split."""
    _, own = group.unique(return_inverse=True)
    first = torch.full((int(own.max()) + 1,), len(group))
    return first.scatter_reduce(0, own, torch.arange(len(group)), "amin").sort().values


def _matches(
    inputs: Tensor,
    images: Tensor,
    texts: Tensor,
    own: Sequence[Tensor],
    names: Sequence[str],
    first: Tensor,
    chosen: Tensor,
) -> list[Match]:
    """The captions nearest to the chosen images, of one sample each; `own` are those of each."""
    matches = []
    for k, right in zip(chosen.tolist(), own, strict=True):
        probabilities = (images[k] @ texts[first].T).softmax(0)  # (G,)
        order = probabilities.argsort(descending=True)[:BEST].tolist()
        if not right[order].any():
            order[-1] = int(probabilities.where(right, -1.0).argmax())
        rows = [(names[int(first[i])], float(probabilities[i]), bool(right[i])) for i in order]
        matches.append(Match(to_pixels(inputs[k]).numpy(), rows))
    return matches


def _card(matches: Sequence[Match], title: str) -> Any:
    figure = new_card(title)
    height = (HEIGHT - 18) / ROWS
    for row, match in enumerate(matches):
        top, side = 18 + row * height, height - 8
        picture(figure, match.image, 4, top, side, side)
        for line, (text, probability, right) in enumerate(match.captions):
            style: dict[str, Any] = {"color": RIGHT if right else WRONG}
            style["weight"] = "bold" if right else "normal"
            left, y = side + 12, top + 2 + line * (side / BEST)
            write(figure, left, y, f"{probability:4.0%}", **style)
            write(figure, left + 34, y, fit(text, WIDTH - left - 38), **style)
    return figure


def _full(matches: Sequence[Match], title: str) -> Any:
    columns = 2
    rows = -(-len(matches) // columns)
    figure = new_figure(11, 0.95 * rows + 0.6, title)
    axes = figure.subplots()
    axes.set_axis_off()
    for k, match in enumerate(matches):
        x, y = k % columns * 6.2, k // columns * 1.12
        axes.imshow(match.image, extent=(x, x + 1, y + 1, y), interpolation="nearest")
        for line, (text, probability, right) in enumerate(match.captions):
            axes.text(
                x + 1.1,
                y + 0.18 + line * 0.32,
                f"{probability:4.0%}  {shorten(text, 52)}",
                color=RIGHT if right else WRONG,
                weight="bold" if right else "normal",
                fontsize=8,
                va="center",
            )
    axes.set(xlim=(0, columns * 6.2), ylim=(rows * 1.12, 0), aspect="equal")
    return figure


def _matrix_card(near: Tensor, pixels: Sequence[Any], labels: Sequence[str]) -> Any:
    figure = new_card("Similarity of captions and images")
    left, top, cell = 140, 38, min(19, (HEIGHT - 42) / len(labels))
    axes = axes_on(figure, left, top, cell * len(labels), cell * len(labels))
    _cells(axes, near)
    axes.set(xticks=[], yticks=[])
    whole = figure.add_axes((0, 0, 1, 1), frame_on=False)
    whole.set(xticks=[], yticks=[], xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    for k, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        x, y = left + k * cell, top + k * cell
        place = (x + 1, x + cell - 1, top - 2, top - cell)
        whole.imshow(image, extent=place, aspect="auto", interpolation="nearest")
        text = fit(label, left - 8, SMALL)
        write(figure, left - 4, y + cell / 2, text, SMALL, ha="right", va="center")
    return figure


def _matrix(near: Tensor, pixels: Sequence[Any], labels: Sequence[str]) -> Any:
    size = len(labels)
    figure = new_figure(10, 0.32 * size + 1.2, "Similarity of captions and images")
    axes = figure.subplots()
    drawn = _cells(axes, near)
    axes.set(xticks=[], yticks=range(size))
    names = [shorten(label, 48) for label in labels]
    axes.set_yticklabels(names, fontsize=8, parse_math=False)
    for k, image in enumerate(pixels):
        place = (k - 0.48, k + 0.48, -0.55, -1.5)
        axes.imshow(image, extent=place, aspect="auto", interpolation="nearest", clip_on=False)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -1.5))
    figure.colorbar(drawn, ax=axes, shrink=0.5).set_label("cosine", fontsize=TEXT)
    return figure


def _cells(axes: Any, near: Tensor) -> Any:
    return axes.imshow(near.numpy(), cmap="viridis", vmin=-0.2, vmax=1.0, aspect="auto")
