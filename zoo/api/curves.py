"""A run in a notebook: its curves as SVG with a style of its own, its result in a line.

The report's parts lay out the axes and choose the points; its page has a style sheet and a script,
which all cells of a notebook would share.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.report.axis import Axis, linear, named, padded
from zoo.report.html import Html, element, join
from zoo.report.series import Point, decimated
from zoo.training.console import show

WIDTH, HEIGHT = 340, 200  # of a panel, pixels
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 26, 22  # margins of its axes
COLOURS = {"train": "#3b7dd8", "val": "#e07b00"}
Lines = Mapping[str, Sequence[Point]]  # by split


def as_html(path: Path, rows: Sequence[dict[str, Any]], result: dict[str, Any]) -> str:
    """Loss and the monitored metric by step, of train and val.

    Args:
        path: The run's folder, for the heading.
        rows: Of metrics.jsonl.
        result: The content of result.json; empty before the run's end.
    """
    monitored = str(result.get("monitor") or "loss").lstrip("-")
    panels = []
    for metric in dict.fromkeys(("loss", monitored)):
        lines = {split: _points(rows, split, metric) for split in COLOURS}
        if drawn := {split: points for split, points in lines.items() if points}:
            panels.append(_panel(metric, drawn))
    test = result.get("test") or {}
    figures = [f"test {name} {show(value)}" for name, value in test.items() if value is not None]
    said = ", ".join([str(result.get("status") or "unfinished"), *figures])
    return element("div", element("p", element("b", path), Html("<br/>"), said), *panels)


def _points(rows: Sequence[dict[str, Any]], split: str, metric: str) -> Sequence[Point]:
    """A metric by step, where it is finite; of very many, the extremes of stretches."""
    found = [(row["step"], row[metric]) for row in rows if row["split"] == split and metric in row]
    return decimated([point for point in found if math.isfinite(point[1])])


def _panel(metric: str, lines: Lines) -> Html:
    """Axes with a line for each split."""
    points = [point for line in lines.values() for point in line]
    steps, values = [step for step, _ in points], [value for _, value in points]
    across = linear(0, max(*steps, 1), 4)
    up = linear(*padded(min(values), max(values), False), 4)
    parts = [_text(LEFT, 14, metric, font_weight="bold")]
    for tick in up.ticks:
        y = _y(up, tick)
        parts.append(_path(f"M{LEFT} {y:.1f}H{WIDTH - RIGHT}", "currentColor", opacity=0.15))
        parts.append(_text(LEFT - 4, y + 4, named(tick), text_anchor="end"))
    parts += [
        _text(_x(across, tick), HEIGHT - 6, named(tick), text_anchor="middle")
        for tick in across.ticks
    ]
    for number, (split, line) in enumerate(lines.items()):
        words = [f"{_x(across, step):.1f} {_y(up, value):.1f}" for step, value in line]
        is_dot = len(words) == 1
        drawn = element("path", d="M" + "L".join(words * 2 if is_dot else words), class_=split,
                        stroke=COLOURS[split], stroke_width=6 if is_dot else 1.6, fill="none",
                        stroke_linecap="round")  # fmt: skip
        left = WIDTH - RIGHT - 44 * (len(lines) - number)
        parts += [drawn, _path(f"M{left} 10h12", COLOURS[split]), _text(left + 15, 14, split)]
    return element(
        "svg", join(parts), xmlns="http://www.w3.org/2000/svg", width=WIDTH, height=HEIGHT,
        role="img", aria_label=f"{metric} by step", font_family="sans-serif", font_size=11,
        fill="currentColor",
    )  # fmt: skip


def _x(across: Axis, step: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * across.place(step)


def _y(up: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * up.place(value)


def _path(d: str, stroke: str, opacity: float = 1.0) -> Html:
    return element("path", d=d, stroke=stroke, stroke_opacity=opacity)


def _text(x: float, y: float, text: str, **attributes: str) -> Html:
    return element("text", text, x=f"{x:.0f}", y=f"{y:.0f}", **attributes)
