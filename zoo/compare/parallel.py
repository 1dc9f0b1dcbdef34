"""Parallel coordinates: an axis for each setting, a line for each group of runs."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

from zoo.compare.importance import Importance
from zoo.compare.scale import Scale
from zoo.runs.rank import Table

MAX_AXES = 9  # of settings
MANY_LINES = 50  # with more lines, all but the best fade


def draw_parallel(
    table: Table, scales: list[Scale], scores: Scale, importance: Importance | None
) -> Any:
    """A line for each group from setting to setting to its metric, the best on top.

    Args:
        table: The groups.
        scales: The axes of the settings.
        scores: The axis of the metric.
        importance: Of the settings; the most important ones are then next to the metric.
    """
    import numpy
    from matplotlib.figure import Figure

    if importance:
        scales = sorted(scales, key=lambda scale: importance.total[scale.name])
    hidden, scales = len(scales) - MAX_AXES, scales[-MAX_AXES:]
    figure = Figure(figsize=(1.9 * len(scales) + 3.3, 4.8), layout="constrained")
    axes = figure.subplots()
    good = numpy.array(scores.positions if table.larger else [1 - p for p in scores.positions])
    _lines(axes, numpy.array([*(_spread(scale, good) for scale in scales), good]), good)
    up = [(at if table.larger else 1 - at, text) for at, text in scores.ticks]
    for j, scale in enumerate([*scales, replace(scores, ticks=up)]):
        _axis(axes, j, scale)
    axes.set_xlim(-0.35, len(scales) + 0.45)
    axes.set_ylim(-0.06, 1.16)
    axes.axis("off")
    best = "the darkest is the best" + (f"; {hidden} more settings are not drawn" * (hidden > 0))
    axes.set_title(f"{table.title}: {len(good)} combinations, {best}", fontsize=11, loc="left")
    return figure


def _lines(axes: Any, heights: Any, good: Any) -> None:
    """Draw the lines.

    Args:
        axes: Matplotlib's axes.
        heights: [axes, lines], 0 to 1.
        good: [lines], the position on the metric's axis, 1 for the best.
    """
    import numpy

    t = numpy.linspace(0, 1, 40)
    smooth = 3 * t**2 - 2 * t**3
    x = numpy.concatenate([j + t for j in range(len(heights) - 1)])
    order = good.argsort(kind="stable").argsort() / max(1, len(good) - 1)
    faint, steep = (0.35, 1) if len(good) <= MANY_LINES else (0.2, 4)
    for k in good.argsort(kind="stable"):
        pairs = zip(heights[:-1, k], heights[1:, k], strict=True)
        y = numpy.concatenate([a + (b - a) * smooth for a, b in pairs])
        alpha = faint + (0.95 - faint) * order[k] ** steep
        width = 2.6 if good[k] == good.max() else 1.3
        axes.plot(x, y, color=_shade(order[k]), alpha=alpha, linewidth=width)


def _spread(scale: Scale, good: Any) -> list[float]:
    """The positions of the lines on an axis; lines with one value are side by side, best on top."""
    lines_at: dict[float, list[int]] = {}
    for k, position in enumerate(scale.positions):
        lines_at.setdefault(position, []).append(k)
    gap = min((b - a for a, b in pairwise(sorted(lines_at))), default=1.0)
    half_width = min(0.035, 0.35 * gap)
    heights = list(scale.positions)
    for position, lines in lines_at.items():
        lines.sort(key=lambda k: good[k])
        for rank, k in enumerate(lines):
            if len(lines) > 1:
                heights[k] = position + half_width * (2 * rank / (len(lines) - 1) - 1)
    return heights


def _shade(order: float) -> Any:
    """Color by rank: one outlier does not make all others look alike."""
    from matplotlib import colormaps

    return colormaps["YlGnBu"](0.2 + 0.75 * float(order))


def _axis(axes: Any, j: int, scale: Scale) -> None:
    axes.plot([j, j], [-0.045, 1.045], color="0.25", linewidth=1, zorder=3)
    for at, text in scale.ticks:
        axes.plot([j - 0.02, j + 0.02], [at, at], color="0.25", linewidth=1, zorder=3)
        short = text if len(text) <= 14 else text[:12] + "…"
        axes.text(
            j + 0.05, at, short, fontsize=8.5, va="center", ha="left", zorder=4,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.8, "linewidth": 0},
        )  # fmt: skip
    axes.text(j, 1.075, scale.name, fontsize=10, fontweight="bold", va="bottom", ha="center")
    if scale.kind == "log":
        axes.text(j, 1.06, "log", fontsize=7, color="0.4", va="center", ha="center")
