"""Plots of labels, any number of which a sample has."""

from typing import Any

from zoo.tasks.base import PreviewWriter
from zoo.tasks.plots.model import new_figure, shorten

MOST = 20  # labels in a figure


def label_plots(labels: dict[str, dict[str, Any]], writer: PreviewWriter) -> None:
    """F1 and average precision of each label, those of the lowest F1 first."""
    writer.figure("labels", label_bars(labels))


def label_bars(labels: dict[str, dict[str, Any]]) -> Any:
    """A row for each label: F1 as a bar, average precision and what guessing gives as marks."""
    ranked = sorted(labels.items(), key=lambda item: item[1]["f1"])[:MOST]
    title = "F1 of each label"
    if len(labels) > MOST:
        title = f"F1 of the {MOST} labels (of {len(labels):,}) with the lowest"
    figure = new_figure(5.0, 1.6 + 0.3 * len(ranked), title)
    axes = figure.subplots()
    rows = range(len(ranked))
    axes.barh(rows, [row["f1"] for _, row in ranked], color="#9ecae1", label="F1")
    known = [k for k in rows if ranked[k][1]["average_precision"] is not None]
    precision = [ranked[k][1]["average_precision"] for k in known]
    axes.plot(precision, known, "o", color="#08519c", ms=6, label="average precision")
    axes.plot([row["prevalence"] for _, row in ranked], rows, "|", color="0.3", ms=12, mew=2,
              label="average precision of guessing")  # fmt: skip
    axes.set_yticks(rows, [shorten(name, 18) for name, _ in ranked], fontsize=10)
    axes.set(xlim=(0, 1))
    axes.invert_yaxis()
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, -0.3), frameon=False, fontsize=9, ncols=2)
    return figure
