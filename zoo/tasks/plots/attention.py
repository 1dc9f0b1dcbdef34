"""Attention weights as heat maps: on a card between the words of one sentence, for the few heads
that differ most; at full size between tokens, layers down and heads across.

Shapes: H heads, T query tokens, S key tokens, R and C words on either side.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoo.inference.attention_maps import attention_maps
from zoo.tasks.base import PreviewWriter
from zoo.tasks.plots.card import (
    HEIGHT,
    LINE,
    SMALL,
    TOP,
    WIDTH,
    axes_on,
    fit,
    new_card,
    new_figure,
    shorten,
    width_of,
    write,
)
from zoo.tasks.plots.heads import between_words, most_different, sentence_start, words_of

MOST_WORDS, MOST_SHOWN = 8, 3  # words on either side and heads of a card
NAMES = 58  # pixels of a card for a word
MOST_TOKENS = 20
MOST_LAYERS, MOST_HEADS = 4, 8
LABEL_LETTERS = 10
CELL = 0.115  # inches
MIN_WIDTH = 4.2  # inches, for the title
SIDE_MARGINS, END_MARGINS = (0.8, 0.4), (0.8, 0.8)  # inches: left and right, below and above
GAP = 1  # cells between two maps
CAPTION = (
    "Each row: how the word on the left shares its attention among the words below. Shown are the "
    "heads (L2 H3: layer 2, head 3) that differ most in total variation; shades are the square "
    "root of a weight."
)


def text_attention(model: nn.Module, tokens: Tensor, tokenizer: Any, writer: PreviewWriter) -> None:
    """Plot the self-attention of each head as the figure `attention`; nothing without heads.

    Args:
        model: In evaluation mode; takes ids (1, T).
        tokens: Ids (T,); drawn is the first whole sentence, as far as there is room.
        tokenizer: Its `token(id)` names them.
        writer: Receives the figure.
    """
    tokens = tokens[sentence_start(tokens.tolist(), tokenizer) :]
    words = words_of(tokens.tolist(), tokenizer, MOST_WORDS)
    maps = _of_size(attention_maps(model, tokens[None, : words[-1][2]]), words[-1][2], words[-1][2])
    if not maps:
        return
    tokens = tokens[:MOST_TOKENS]
    names = [tokenizer.token(i) for i in tokens.tolist()]
    full = heat_maps([*attention_maps(model, tokens[None]).values()], names, names)
    writer.figure("attention", attention_card(maps, words, words), full, CAPTION)


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
    layers = _of_size(maps, len(target), len(source))
    if not layers:
        return
    queries, keys = (words_of(ids.tolist(), tokenizer, MOST_WORDS) for ids in (target, source))
    card = attention_card(layers, queries, keys)
    layers = [weights[:, :MOST_TOKENS, :MOST_TOKENS] for weights in layers]
    names = [[tokenizer.token(i) for i in ids[:MOST_TOKENS].tolist()] for ids in (target, source)]
    writer.figure("attention", card, heat_maps(layers, *names), CAPTION)


def _of_size(maps: dict[str, Tensor], queries: int, keys: int) -> list[Tensor]:
    return [weights for weights in maps.values() if weights.shape[1:] == (queries, keys)]


def attention_card(
    maps: Sequence[Tensor],
    queries: Sequence[tuple[str, int, int]],
    keys: Sequence[tuple[str, int, int]],
) -> Any:
    """The few heads that differ most.

    Args:
        maps: Weights of each layer, (H, T, S).
        queries, keys: Words with their first token and the one after the last (`words_of`).
    """
    weights = between_words(torch.cat(list(maps)), queries, keys)  # (L H, R, C)
    places = [(layer, head) for layer, heads in enumerate(maps) for head in range(len(heads))]
    chosen = most_different(weights, MOST_SHOWN)
    few = len(chosen) < len(places)
    title = f"{len(chosen)} of {len(places)} heads, which differ most" if few else "Attention"
    figure = new_card(title)
    rows, columns = ([fit(text, NAMES, SMALL) for text, *_ in side] for side in (queries, keys))
    left = max(width_of(name, SMALL) for name in rows) + 8
    below = max(width_of(name, SMALL) for name in columns) + 6
    top = TOP + LINE
    width, gap = (WIDTH - left - 4) / len(chosen), 8
    for k, number in enumerate(chosen):
        place = (left + k * width, top, width - gap, HEIGHT - top - below)
        axes = axes_on(figure, *place)
        axes.imshow(weights[number].sqrt().numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(columns)), columns, rotation=90)
        axes.set_yticks(range(len(rows)), rows if k == 0 else [""] * len(rows))
        axes.tick_params(length=0)
        layer, head = places[number]
        write(figure, place[0], TOP, f"L{layer + 1} H{head + 1}", SMALL, color="0.35")
    return figure


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
