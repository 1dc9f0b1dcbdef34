"""Plots of images as they are: drawn, restored, beside each other."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.tasks.base import PreviewWriter
from zoo.tasks.drawing import grid
from zoo.tasks.plots.card import HEIGHT, TOP, WIDTH, new_card, new_figure, picture

CARD_COLUMNS, CARD_ROWS = 10, 6
INCHES = 0.55  # of an image in the full picture


def images_plots(
    tag: str,
    title: str,
    pixels: Tensor,
    writer: PreviewWriter,
    caption: str,
    columns: int,
    rows: Sequence[str] = (),
) -> None:
    """A grid of images; on the card a part, spread over it.

    Args:
        tag: Name of the picture.
        title: Written above it.
        pixels: Uint8 (N, C, H, W), row by row.
        writer: Receives it.
        caption: What is to be seen.
        columns: Of the grid.
        rows: Names of its rows; empty for none.
    """
    number = -(-len(pixels) // columns)
    shown = [
        row * columns + column
        for row in spread(number, CARD_ROWS)
        for column in spread(columns, CARD_COLUMNS)
        if row * columns + column < len(pixels)
    ]
    card = image_card(title, grid(pixels[shown], min(columns, CARD_COLUMNS)))
    writer.figure(tag, card, _full(title, grid(pixels, columns), columns, number, rows), caption)


def spread(length: int, number: int) -> list[int]:
    """At most `number` indices below `length`, evenly spaced, with the first and the last."""
    return sorted({round(k) for k in torch.linspace(0, length - 1, number).tolist()})


def to_rgb(image: Tensor) -> Any:
    """Uint8 (C, H, W) as (H, W, 3); grey unless C is 3."""
    image = image if len(image) == 3 else image.float().mean(0).byte().expand(3, -1, -1)
    return image.permute(1, 2, 0).numpy()


def image_card(title: str, canvas: Tensor) -> Any:
    """A card with one picture, uint8 (C, H, W), as large as fits."""
    card = new_card(title)
    height, width = canvas.shape[1:]
    scale = min((HEIGHT - TOP - 4) / height, (WIDTH - 8) / width)
    left = (WIDTH - scale * width) / 2
    picture(card, to_rgb(canvas), left, TOP, scale * width, scale * height)
    return card


def _full(title: str, canvas: Tensor, columns: int, number: int, names: Sequence[str]) -> Any:
    height, width = canvas.shape[1:]
    inches = max(4.6, INCHES * columns)
    figure = new_figure(inches + bool(names), inches * height / width + 0.5, title)
    axes = figure.subplots()
    axes.imshow(to_rgb(canvas), interpolation="nearest")
    axes.set_frame_on(False)
    axes.set(xticks=[], yticks=[])
    if names:
        places = [(k + 0.5) * height / number for k in range(len(names))]
        axes.set_yticks(places, names, fontsize=8)
        axes.tick_params(length=0)
    return figure
