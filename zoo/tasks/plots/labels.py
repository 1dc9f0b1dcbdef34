"""Plots of labels, any number of which a sample has."""

from collections.abc import Sequence
from typing import Any

from zoo.tasks.base import PreviewWriter
from zoo.tasks.plots.card import (
    HEIGHT,
    SMALL,
    TOP,
    WIDTH,
    axes_on,
    fit,
    new_card,
    new_figure,
    shorten,
)

MOST, MOST_ON_CARD = 20, 7  # labels in a figure
NAMES = 84  # pixels of a card for a name
CAPTION = (
    "Bars: F1 of each label, the lowest first. Dots: average precision; strokes: the average "
    "precision of guessing, which is how frequent the label is."
)
Ranked = Sequence[tuple[str, dict[str, Any]]]


def label_plots(labels: dict[str, dict[str, Any]], writer: PreviewWriter) -> None:
    """F1 and average precision of each label, those of the lowest F1 first."""
    writer.figure("labels", label_card(labels), label_bars(labels), CAPTION)


def label_card(labels: dict[str, dict[str, Any]]) -> Any:
    """The labels of the lowest F1, on a card."""
    ranked = _ranked(labels, MOST_ON_CARD)
    figure = new_card(_title(len(ranked), len(labels)))
    below = 44
    axes = axes_on(figure, NAMES + 8, TOP + 2, WIDTH - NAMES - 16, HEIGHT - TOP - 4 - below)
    _draw(axes, ranked, 3.5)
    axes.set_yticks(range(len(ranked)), [fit(name, NAMES, SMALL) for name, _ in ranked])
    axes.set_xticks([0, 0.5, 1])
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="lower center",
        ncols=2,
        frameon=False,
        fontsize=SMALL,
        handlelength=1.2,
        borderpad=0,
        labelspacing=0.2,
    )
    return figure


def label_bars(labels: dict[str, dict[str, Any]]) -> Any:
    """A row for each label: F1 as a bar, average precision and what guessing gives as marks."""
    ranked = _ranked(labels, MOST)
    figure = new_figure(5.0, 1.6 + 0.3 * len(ranked), _title(len(ranked), len(labels)))
    axes = figure.subplots()
    _draw(axes, ranked, 6)
    axes.set_yticks(range(len(ranked)), [shorten(name, 18) for name, _ in ranked], fontsize=10)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, -0.3), frameon=False, fontsize=9, ncols=2)
    return figure


def _ranked(labels: dict[str, dict[str, Any]], most: int) -> Ranked:
    return sorted(labels.items(), key=lambda item: item[1]["f1"])[:most]


def _title(shown: int, total: int) -> str:
    if shown == total:
        return "F1 of each label"
    return f"F1 of the {shown} labels (of {total:,}) with the lowest"


def _draw(axes: Any, ranked: Ranked, size: float) -> None:
    rows = range(len(ranked))
    axes.barh(rows, [row["f1"] for _, row in ranked], color="#9ecae1", label="F1")
    known = [k for k in rows if ranked[k][1]["average_precision"] is not None]
    precision = [ranked[k][1]["average_precision"] for k in known]
    axes.plot(precision, known, "o", color="#08519c", ms=size, label="average precision")
    guessing = {"color": "0.3", "ms": 2 * size, "mew": size / 3, "label": "of guessing"}
    axes.plot([row["prevalence"] for _, row in ranked], rows, "|", **guessing)
    axes.set(xlim=(0, 1.02))
    axes.invert_yaxis()
