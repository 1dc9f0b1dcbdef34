"""Parallel coordinates: an axis for each setting, a line for each combination that was tried."""

from collections.abc import Sequence
from typing import Any

from zoo.compare.importance import Importance
from zoo.compare.scale import Scale
from zoo.runs.rank import Table

AXES = 9  # of settings, side by side
FEW = 50  # lines; where there are more, all but the best fade


def draw_parallel(
    table: Table, scales: list[Scale], scores: Scale, shares: Importance | None
) -> Any:
    """A line for each group across its settings to what it reached, the best on top.

    Args:
        table: What is drawn.
        scales: Of its settings.
        scores: Of its metric.
        shares: Of the settings; those that matter most then stand next to the metric.
    """
    import numpy
    from matplotlib.figure import Figure

    if shares:
        scales = sorted(scales, key=lambda one: shares.total[one.name])
    left, scales = len(scales) - AXES, scales[-AXES:]
    figure = Figure(figsize=(1.9 * len(scales) + 3.3, 4.8), layout="constrained")
    axes = figure.subplots()
    good = numpy.array(scores.positions if table.larger else [1 - p for p in scores.positions])
    _lines(axes, numpy.array([*(_spread(one, good) for one in scales), good]), good)
    up = [(at if table.larger else 1 - at, text) for at, text in scores.ticks]
    for j, (one, ticks) in enumerate([*((one, one.ticks) for one in scales), (scores, up)]):
        _axis(axes, j, one, ticks)
    axes.set_xlim(-0.35, len(scales) + 0.45)
    axes.set_ylim(-0.06, 1.16)
    axes.axis("off")
    best = "the darkest is the best" + (f"; {left} more settings are not drawn" * (left > 0))
    axes.set_title(f"{table.title}: {len(good)} combinations, {best}", fontsize=11, loc="left")
    return figure


def _lines(axes: Any, heights: Any, good: Any) -> None:
    """From axis to axis: heights [axes, lines], and how good each line is, 0 to 1."""
    import numpy

    t = numpy.linspace(0, 1, 40)
    smooth = 3 * t**2 - 2 * t**3
    x = numpy.concatenate([j + t for j in range(len(heights) - 1)])
    order = good.argsort(kind="stable").argsort() / max(1, len(good) - 1)
    faint, steep = (0.35, 1) if len(good) <= FEW else (0.2, 4)
    for k in good.argsort(kind="stable"):
        pairs = zip(heights[:-1, k], heights[1:, k])
        y = numpy.concatenate([a + (b - a) * smooth for a, b in pairs])
        alpha = faint + (0.95 - faint) * order[k] ** steep
        width = 2.6 if good[k] == good.max() else 1.3
        axes.plot(x, y, color=_shade(order[k]), alpha=alpha, linewidth=width)


def _spread(one: Scale, good: Any) -> list[float]:
    """Lines that meet at a value lie side by side there, the best uppermost."""
    there: dict[float, list[int]] = {}
    for k, position in enumerate(one.positions):
        there.setdefault(position, []).append(k)
    places = sorted(there)
    gap = min((b - a for a, b in zip(places, places[1:])), default=1.0)
    room = min(0.035, 0.35 * gap)
    heights = list(one.positions)
    for position, members in there.items():
        members.sort(key=lambda k: good[k])
        for rank, k in enumerate(members):
            if len(members) > 1:
                heights[k] = position + room * (2 * rank / (len(members) - 1) - 1)
    return heights


def _shade(order: float) -> Any:
    """By rank, so that one run far off does not make all others alike."""
    from matplotlib import colormaps

    return colormaps["YlGnBu"](0.2 + 0.75 * float(order))


def _axis(axes: Any, j: int, one: Scale, ticks: Sequence[tuple[float, str]]) -> None:
    axes.plot([j, j], [-0.045, 1.045], color="0.25", linewidth=1, zorder=3)
    for at, text in ticks:
        axes.plot([j - 0.02, j + 0.02], [at, at], color="0.25", linewidth=1, zorder=3)
        short = text if len(text) <= 14 else text[:12] + "…"
        axes.text(
            j + 0.05, at, short, fontsize=8.5, va="center", ha="left", zorder=4,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.8, "linewidth": 0},
        )  # fmt: skip
    axes.text(j, 1.075, one.name, fontsize=10, fontweight="bold", va="bottom", ha="center")
    if one.kind == "log":
        axes.text(j, 1.06, "log", fontsize=7, color="0.4", va="center", ha="center")
