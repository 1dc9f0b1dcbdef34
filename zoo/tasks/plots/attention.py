"""Attention heads as heat maps: a row a layer, a column a head.

Shapes: H heads, T tokens that look, S tokens that are looked at.
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
LETTERS = 10  # of a token's label
CELL = 0.115  # inches
LEAST = 4.2  # width in inches, for the title
SIDES, ENDS = (0.8, 0.4), (0.8, 0.8)  # inches left and right, below and above
GAP = 1  # cells between two maps


def text_attention(model: nn.Module, tokens: Tensor, tokenizer: Any, writer: PreviewWriter) -> None:
    """Draw where each head looks in a text, as the figure `attention`; without heads, nothing.

    Args:
        model: In evaluation mode; takes ids (1, T).
        tokens: Ids (T,), of which the first few are read.
        tokenizer: Its `token(id)` names them.
        writer: Receives the figure.
    """
    tokens = tokens[:MOST_TOKENS]
    names = [tokenizer.token(i) for i in tokens.tolist()]
    _draw(attention_maps(model, tokens[None]), names, names, writer)


def pair_attention(
    model: nn.Module, source: Tensor, target: Tensor, tokenizer: Any, writer: PreviewWriter
) -> None:
    """Draw where each head that writes the target looks in the source, as `text_attention`.

    Args:
        model: In evaluation mode; takes ids (1, S) and (1, T).
        source, target: Ids (S,) and (T,), without padding.
        tokenizer, writer: As in `text_attention`.
    """
    maps = attention_maps(model, source[None], target[None])
    maps = {name: one for name, one in maps.items() if "cross" in name} or maps
    looking, looked_at = ([tokenizer.token(i) for i in side.tolist()] for side in (target, source))
    _draw(maps, looking, looked_at, writer)


def _draw(
    maps: dict[str, Tensor], looking: Sequence[str], looked_at: Sequence[str], writer: PreviewWriter
) -> None:
    size = (len(looking), len(looked_at))
    fitting = [one for one in maps.values() if one.shape[1:] == size]
    if fitting:
        few = [one[:, :MOST_TOKENS, :MOST_TOKENS] for one in fitting]
        figure = heat_maps(few, looking[:MOST_TOKENS], looked_at[:MOST_TOKENS])
        writer.figure("attention", figure)


def heat_maps(maps: Sequence[Tensor], looking: Sequence[str], looked_at: Sequence[str]) -> Any:
    """Weights of several layers, (H, T, S) each, in one set of axes.

    Of many layers a few are drawn, the first and the last among them, and of many heads the first.
    Shades tell the square root of a weight, so that small ones show.
    """
    layers = [int(k) for k in torch.linspace(0, len(maps) - 1, min(len(maps), MOST_LAYERS)).round()]
    heads = min(MOST_HEADS, len(maps[0]))
    high, wide = len(looking) + GAP, len(looked_at) + GAP
    shape = (len(layers) * high - GAP, heads * wide - GAP)
    image = torch.full(shape, float("nan"))
    for row, layer in enumerate(layers):
        for column in range(heads):
            part = image[row * high : (row + 1) * high - GAP, column * wide :]
            part[:, : wide - GAP] = maps[layer][column]
    title = "Where each token (left) looks (below)"
    title += f", {heads} of {len(maps[0])} heads" if heads < len(maps[0]) else ""
    title += f", {len(layers)} of {len(maps)} layers" if len(layers) < len(maps) else ""
    across = max(LEAST, CELL * shape[1] + sum(SIDES))
    figure = new_figure(across, CELL * shape[0] + sum(ENDS), title)
    figure.set_layout_engine("none")  # it would measure every label twice
    inside = (CELL * shape[1], CELL * shape[0])
    up = figure.get_size_inches()[1]
    axes = figure.add_axes(
        (SIDES[0] / across, ENDS[0] / up, inside[0] / across, inside[1] / up), frame_on=False
    )
    axes.imshow(image.sqrt().numpy(), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    for k, layer in enumerate(layers):
        for i, token in enumerate(looking):
            axes.text(-1, k * high + i, _plain(token), ha="right", va="center", fontsize=6)
        if len(maps) > 1:
            middle, beside = k * high + (high - GAP - 1) / 2, shape[1] + 0.2
            axes.text(beside, middle, f"layer {layer + 1}", va="center", rotation=270, fontsize=8)
    for k in range(heads):
        for i, token in enumerate(looked_at):
            text = _plain(token)
            axes.text(k * wide + i, shape[0], text, ha="center", va="top", rotation=90, fontsize=6)
        if heads > 1:
            middle = k * wide + (wide - GAP - 1) / 2
            axes.text(middle, -1.2, f"head {k + 1}", ha="center", va="bottom", fontsize=8)
    return figure


def _plain(token: str) -> str:
    """A short label that matplotlib can draw: no formula, no letter that its font lacks."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("DejaVu Sans"))
    shown = "".join(c if font.get_char_index(ord(c)) else "\ufffd" for c in token)
    return shorten(shown, LETTERS).replace("$", r"\$")
