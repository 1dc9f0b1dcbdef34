"""The weights of pairs of features, of a model that has some.

Shapes: N samples, F features, O outputs.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoo.tasks.base import HasPairs, PreviewWriter
from zoo.tasks.plots.card import (
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

MOST = 64  # features, those with the largest weights
LISTED = 6
MATRIX = 138  # pixels of the card
CAPTION = (
    "Each cell is a pair of features: red where both together raise the output, blue where they "
    "lower it. Grey: two categories of one column, which no row has."
)
STRENGTH = "Each cell is a pair of features; the darker, the more it tells the classes apart."


def draw_pairs(
    model: nn.Module,
    samples: Tensor,
    feature_names: Sequence[str] | None,
    class_names: Sequence[str] | None,
    writer: PreviewWriter,
) -> None:
    """Cells and the largest weights; nothing of a model without pairs.

    Args:
        model: As it is trained.
        samples: (N, F); features that are the same in all of them are left out.
        feature_names: Of the F columns; numbers where they have none.
        class_names: Of the outputs; None for regression.
        writer: Receives the figure.
    """
    if not isinstance(model, HasPairs) or samples.dim() != 2:
        return
    names = list(feature_names or [f"feature {k + 1}" for k in range(samples.shape[1])])
    weights = _one_output(model.pair_weights().detach().float().cpu())  # (F, F)
    columns = [_column_of(name) for name in names]
    apart = torch.tensor([[a != b or x == y for b, y in zip(columns, names, strict=True)]
                          for a, x in zip(columns, names, strict=True)])  # fmt: skip
    weights = weights.masked_fill(~apart, float("nan")).fill_diagonal_(float("nan"))
    varies = (samples != samples[0]).any(0).cpu()
    largest = weights.nan_to_num().abs().amax(1).masked_fill(~varies, -1)
    kept = largest.argsort(descending=True, stable=True)[: min(MOST, int(varies.sum()))].sort()[0]
    weights, names = weights[kept][:, kept], [names[k] for k in kept.tolist()]
    signed = class_names is None or len(class_names) <= 2
    figures = _card(weights, names, signed), _full(weights, names, signed)
    writer.figure("pairs", *figures, CAPTION if signed else STRENGTH)


def _one_output(weights: Tensor) -> Tensor:
    """(O, F, F) to (F, F): of two outputs the difference, of more the root mean square."""
    if len(weights) == 1:
        return weights[0]
    return weights[1] - weights[0] if len(weights) == 2 else weights.square().mean(0).sqrt()


def _column_of(name: str) -> str:
    """`user` of `user=anna`, `user other`, `user missing`."""
    return name.split("=", 1)[0].removesuffix(" other").removesuffix(" missing")


def _pairs(weights: Tensor) -> list[tuple[int, int, float]]:
    """The pairs with the largest weights, each once."""
    rows, columns = (~weights.isnan()).triu(1).nonzero().unbind(1)
    order = weights[rows, columns].abs().argsort(descending=True, stable=True)[:LISTED]
    pairs = zip(rows[order].tolist(), columns[order].tolist(), strict=True)
    return [(i, j, float(weights[i, j])) for i, j in pairs]


def _card(weights: Tensor, names: Sequence[str], signed: bool) -> Any:
    figure = new_card(f"Pairs of {len(names)} features")
    axes = axes_on(figure, 6, TOP + 4, MATRIX, MATRIX)
    _cells(axes, weights, signed)
    axes.set(xticks=[], yticks=[])
    left, y = MATRIX + 14, TOP + 4
    write(figure, left, y, "largest weights", SMALL, color="0.35")
    for i, j, weight in _pairs(weights):
        y += LINE + 5
        number = f" {weight:+.2f}" if signed else f" {weight:.2f}"
        room = (WIDTH - left - 4 - width_of(number + " × ", SMALL)) / 2
        text = f"{fit(names[i], room, SMALL)} × {fit(names[j], room, SMALL)}{number}"
        write(figure, left, y, text, SMALL)
    return figure


def _full(weights: Tensor, names: Sequence[str], signed: bool) -> Any:
    side = 2.4 + 0.17 * len(names)
    figure = new_figure(side + 0.8, side, "Weights of pairs of features")
    axes = figure.subplots()
    image = _cells(axes, weights, signed)
    labels = [shorten(name, 20) for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), labels, fontsize=7)
    figure.colorbar(image, shrink=0.6)
    return figure


def _cells(axes: Any, weights: Tensor, signed: bool) -> Any:
    limit = max(float(weights.nan_to_num().abs().max()) if len(weights) else 0.0, 1e-12)
    axes.set_facecolor("0.85")
    return axes.imshow(
        weights.numpy(),
        cmap="RdBu_r" if signed else "Blues",
        vmin=-limit if signed else 0,
        vmax=limit,
    )
