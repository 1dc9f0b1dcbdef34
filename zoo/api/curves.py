"""A run in a notebook: its curves as SVG, its result in a line."""

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

Points = list[tuple[int, float]]

WIDTH, HEIGHT = 340, 200  # of a panel, pixels
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 26, 22  # margins of its axes
COLOURS = {"train": "#3b7dd8", "val": "#e07b00"}
MOST = 300  # points of a line


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
        if any(lines.values()):
            panels.append(_panel(metric, {split: line for split, line in lines.items() if line}))
    test = result.get("test") or {}
    figures = [f"test {name} {value:.4g}" for name, value in test.items() if value is not None]
    said = ", ".join([str(result.get("status") or "unfinished"), *figures])
    return f"<div><p><b>{escape(str(path))}</b><br>{escape(said)}</p>{''.join(panels)}</div>"


def _points(rows: Sequence[dict[str, Any]], split: str, metric: str) -> Points:
    """A metric by step, where it is finite; of very many, every n-th and the last."""
    found = [
        (row["step"], row[metric])
        for row in rows
        if row["split"] == split and math.isfinite(row.get(metric, math.nan))
    ]
    stride = -(-len(found) // MOST) or 1
    return found[:-1:stride] + found[-1:]


def _panel(metric: str, lines: dict[str, Points]) -> str:
    """Axes with a line for each split."""
    steps = [step for line in lines.values() for step, _ in line]
    values = [value for line in lines.values() for _, value in line]
    last, low, high = max(steps), min(values), max(values)
    span = (high - low) or abs(high) or 1.0
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x(step: int) -> float:
        return LEFT + (right - LEFT) * step / max(last, 1)

    def y(value: float) -> float:
        return bottom - (bottom - TOP) * (value - low) / span

    parts = [_text(LEFT, 14, metric, "start", bold=True)]
    for value in (low, low + span / 2, low + span):
        parts.append(
            f'<path d="M{LEFT} {y(value):.1f}H{right}" stroke="currentColor" stroke-opacity=".15"/>'
        )
        parts.append(_text(LEFT - 4, y(value) + 4, f"{value:.3g}", "end"))
    parts += [
        _text(LEFT, HEIGHT - 6, "0", "start"),
        _text(right, HEIGHT - 6, f"step {last:,}", "end"),
    ]
    for number, (split, line) in enumerate(lines.items()):
        points = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in line)
        mark = f' stroke="{COLOURS[split]}" fill="none" stroke-width="1.6"'
        parts.append(f'<polyline points="{points}"{mark}><title>{split}</title></polyline>')
        if len(line) == 1:
            parts.append(
                f'<circle cx="{x(line[0][0]):.1f}" cy="{y(line[0][1]):.1f}" r="2.5"{mark}/>'
            )
        left = right - 44 * (len(lines) - number)
        parts.append(f'<path d="M{left} 10h12"{mark}/>')
        parts.append(_text(left + 15, 14, split, "start"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{escape(metric)} by step" font-family="sans-serif" font-size="11" '
        f'fill="currentColor">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'
