"""Attention weights as heat maps: layers down, heads across.

Shapes: H heads, T query tokens, S key tokens.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoo.inference.attention_maps import attention_maps
from zoo.tasks.base import PreviewWriter
from zoo.tasks.plots.model import new_figure, shorten

MOST_TOKENS = 20
MOST_LAYERS, MOST_HEADS = 4, 8
LABEL_LETTERS = 10
CELL = 0.115  # inches
MIN_WIDTH = 4.2  # inches, for the title
SIDE_MARGINS, END_MARGINS = (0.8, 0.4), (0.8, 0.8)  # inches: left and right, below and above
GAP = 1  # cells between two maps


def text_attention(model: nn.Module, tokens: Tensor, tokenizer: Any, writer: PreviewWriter) -> None:
    """Plot the self-attention of each head as the figure `attention`; nothing without heads.

    Args:
        model: In evaluation mode; takes ids (1, T).
        tokens: Ids (T,), of which the first few are used.
        tokenizer: Its `token(id)` names them.
        writer: Receives the figure.
    """
    tokens = tokens[:MOST_TOKENS]
    names = [tokenizer.token(i) for i in tokens.tolist()]
    _draw(attention_maps(model, tokens[None]), names, names, writer)


def pair_attention(
    model: nn.Module, source: Tensor, target: Tensor, tokenizer: Any, writer: PreviewWriter
) -> None:
    """Plot the cross-attention of each head, from target to source, as `text_attention` does.

    Args:
        model: In evaluation mode; takes ids (1, S) and (1, T).
        source, target: Ids (S,) and (T,), without padding.
        tokenizer, writer: As in `text_attention`.
    """
    maps = attention_maps(model, source[None], target[None])
    maps = {name: weights for name, weights in maps.items() if "cross" in name} or maps
    queries, keys = ([tokenizer.token(i) for i in ids.tolist()] for ids in (target, source))
    _draw(maps, queries, keys, writer)


def _draw(
    maps: dict[str, Tensor], queries: Sequence[str], keys: Sequence[str], writer: PreviewWriter
) -> None:
    size = (len(queries), len(keys))
    layers = [
        weights[:, :MOST_TOKENS, :MOST_TOKENS]
        for weights in maps.values()
        if weights.shape[1:] == size
    ]
    if layers:
        figure = heat_maps(layers, queries[:MOST_TOKENS], keys[:MOST_TOKENS])
        writer.figure("attention", figure)


def heat_maps(maps: Sequence[Tensor], queries: Sequence[str], keys: Sequence[str]) -> Any:
    """Weights of several layers, (H, T, S) each, in one set of axes.

    Of many layers a few are drawn, the first and the last among them, and of many heads the first.
    Shades show the square root of a weight, so that small weights are visible.

    Args:
        maps: A tensor for each layer.
        queries, keys: Labels of the T rows and of the S columns.
    """
    layers = [int(k) for k in torch.linspace(0, len(maps) - 1, min(len(maps), MOST_LAYERS)).round()]
    heads = min(MOST_HEADS, len(maps[0]))
    rows, columns = len(queries) + GAP, len(keys) + GAP  # of one map and the gap after it
    image = torch.full((len(layers) * rows - GAP, heads * columns - GAP), float("nan"))
    for k, layer in enumerate(layers):
        for head in range(heads):
            cells = image[k * rows : (k + 1) * rows - GAP, head * columns :]
            cells[:, : columns - GAP] = maps[layer][head]
    title = "Attention weights: queries (left), keys (below)"
    title += f", {heads} of {len(maps[0])} heads" if heads < len(maps[0]) else ""
    title += f", {len(layers)} of {len(maps)} layers" if len(layers) < len(maps) else ""
    figure, axes = _figure(image, title)
    for k, layer in enumerate(layers):
        for i, token in enumerate(queries):
            axes.text(-1, k * rows + i, _label(token), ha="right", va="center", fontsize=6)
        if len(maps) > 1:
            middle, right = k * rows + (rows - GAP - 1) / 2, image.shape[1] + 0.2
            axes.text(right, middle, f"layer {layer + 1}", va="center", rotation=270, fontsize=8)
    below = image.shape[0]
    for k in range(heads):
        for i, token in enumerate(keys):
            text = _label(token)
            axes.text(k * columns + i, below, text, ha="center", va="top", rotation=90, fontsize=6)
        if heads > 1:
            middle = k * columns + (columns - GAP - 1) / 2
            axes.text(middle, -1.2, f"head {k + 1}", ha="center", va="bottom", fontsize=8)
    return figure


def _figure(image: Tensor, title: str) -> tuple[Any, Any]:
    """A figure that just holds the image (rows, columns) and its labels, and its axes."""
    inner_height, inner_width = (CELL * size for size in image.shape)
    width = max(MIN_WIDTH, inner_width + sum(SIDE_MARGINS))
    figure = new_figure(width, inner_height + sum(END_MARGINS), title)
    figure.set_layout_engine("none")  # it would measure every label twice
    height = figure.get_size_inches()[1]
    left, bottom = SIDE_MARGINS[0] / width, END_MARGINS[0] / height
    axes = figure.add_axes(
        (left, bottom, inner_width / width, inner_height / height), frame_on=False
    )
    axes.imshow(image.sqrt().numpy(), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    return figure, axes


def _label(token: str) -> str:
    """A token on one line."""
    return shorten(token.replace("\n", "↵"), LABEL_LETTERS)
