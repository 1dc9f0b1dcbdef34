"""A line chart as SVG: readable without a script, which adds the values under the pointer.

It is drawn twice, on a linear and on a logarithmic axis; a switch shows the one or the other. The
script knows the axes and the points that are drawn, nothing more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zoo.report.axis import Axis, linear, logarithmic, named, padded
from zoo.report.html import Html, element, join, table
from zoo.report.series import Series, decimated
from zoo.training.console import show

WIDTH, HEIGHT = 360, 230  # as wide as a phone's page: text is as large everywhere
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 26  # of the frame
LOG_RATIO = 50.0  # of largest to smallest value, from which on a logarithmic axis is shown first
MAX_ROWS = 60  # of the table of values


@dataclass(frozen=True)
class Chart:
    """A chart and what the page's script needs to read values from it."""

    html: Html
    data: dict[str, Any]


def draw(
    id_: str, title: str, series: Sequence[Series], mark: int | None = None, about: str = ""
) -> Chart:
    """A chart of series over steps.

    Args:
        id_: Unique in the page.
        title: What is drawn.
        series: At least one, at least one of them with a finite value.
        mark: The step of the best weights, to mark.
        about: A remark below the chart.
    """
    drawn = [
        Series(s.name, decimated(s.points), s.kind, s.band, s.total or len(s.points))
        for s in series
    ]
    values = [value for s in drawn for value in s.values]
    values += [edge for s in drawn for _, *edges in s.band for edge in edges]
    steps = [step for s in drawn for step, _ in s.points]
    across = linear(min(steps), max(steps), 4) if min(steps) < max(steps) else around(steps[0])
    low, high = min(values), max(values)
    axes = {"linear": linear(*padded(low, high, False))}
    if low > 0 and high > low:
        axes["log"] = logarithmic(*padded(low, high, True))
    first = "log" if "log" in axes and high / low >= LOG_RATIO else "linear"
    layers = [_layer(name, axes[name], across, drawn, mark, name == first) for name in axes]
    content = {
        "x": [across.low, across.high],
        "y": {name: [axis.low, axis.high] for name, axis in axes.items()},
        "series": [
            {"name": s.name, "kind": s.kind, "steps": [p[0] for p in s.points],
             "values": [float(f"{p[1]:.6g}") for p in s.points]}
            for s in drawn
        ],
    }  # fmt: skip
    return Chart(_figure(id_, title, drawn, layers, first, about), content)


def around(step: int) -> Axis:
    """An axis with a single step in its middle."""
    return Axis(step - 1, step + 1, False, [step])


def _figure(
    id_: str, title: str, drawn: Sequence[Series], layers: list[Html], first: str, about: str
) -> Html:
    names = ", ".join(s.name for s in drawn[:12]) + " and more" * (len(drawn) > 12)
    picture = element(
        "svg",
        element("title", title, id=f"{id_}-title"),
        element("desc", _described(drawn), id=f"{id_}-desc"),
        *layers,
        Html('<path class="cursor" d=""/>'),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_labelledby=f"{id_}-title {id_}-desc",
    )
    label = f"{title}: {names}. Left and right arrow keys read the values"
    plot = element("div", picture, class_="plot", tabindex="0", role="group", aria_label=label)
    switch = element("button", "log", type="button", class_="switch", hidden=True,
                     aria_pressed=str(first == "log").lower(),
                     aria_label=f"log axis: {title}")  # fmt: skip
    buttons = [switch] if len(layers) > 1 else []
    heading = element("figcaption", element("strong", title), *buttons)
    readout = element("p", class_="readout", aria_live="polite")
    parts = [
        heading,
        plot,
        _legend(drawn),
        readout,
        _notes(drawn, about),
        values_table(title, drawn),
    ]
    return element("figure", *parts, class_="chart", id=id_)


def _described(drawn: Sequence[Series]) -> str:
    """What somebody hears who does not see it."""
    parts = [
        f"{s.name}: from {show(finite[0])} to {show(finite[-1])} at step "
        f"{s.points[-1][0]:,}, lowest {show(min(finite))}, highest {show(max(finite))}"
        for s in drawn[:12]
        if (finite := s.values)
    ]
    return ". ".join(parts) + "."


def _legend(drawn: Sequence[Series]) -> Html:
    if len(drawn) < 2 or drawn[0].kind.startswith("s"):  # a comparison has one legend for all
        return Html("")
    items = [element("li", element("i", class_=f"swatch {s.kind}"), s.name) for s in drawn]
    return element("ul", *items, class_="legend")


def _notes(drawn: Sequence[Series], about: str) -> Html:
    notes = [about] if about else []
    for s in drawn:
        if s.total > len(s.points):
            notes.append(
                f"{s.name}: {s.total:,} points, drawn by the smallest and largest of each stretch."
            )
        if lost := len(s.points) - len(s.values):
            more = "at least " * (s.total > len(s.points))
            notes.append(f"{s.name}: {more}{lost:,} of the values not finite, left out.")
    return join(element("p", note, class_="note") for note in notes)


# ----------------------------------------------------------------------------- drawing


def _layer(
    name: str, up: Axis, across: Axis, drawn: Sequence[Series], mark: int | None, shown: bool
) -> Html:
    """The grid and the lines on one kind of axis."""
    parts = [*_grid(up, across)]
    if mark is not None and across.low <= mark <= across.high:
        x = _x(across, mark)
        parts.append(element("path", d=f"M{x:.1f} {TOP}V{HEIGHT - BOTTOM}", class_="best"))
    bands = [(_band(s, across, up), s.kind) for s in drawn if s.band]
    parts += [element("path", d=shape, class_=f"band {kind}") for shape, kind in bands]
    for s in drawn:
        if len(s.values) == 1:
            step, value = next(p for p in s.points if math.isfinite(p[1]))
            parts.append(_dot(_x(across, step), _y(up, value), s.kind))
        else:
            parts.append(element("path", d=_line(s.points, across, up), class_=f"line {s.kind}"))
    return element("g", *parts, class_=name if shown else f"{name} off")


def _grid(up: Axis, across: Axis) -> list[Html]:
    parts = []
    for tick in up.ticks:
        y = _y(up, tick)
        parts.append(element("path", d=f"M{LEFT} {y:.1f}H{WIDTH - RIGHT}", class_="grid"))
        parts.append(element("text", named(tick), x=LEFT - 6, y=f"{y + 4:.1f}", class_="end"))
    for tick in across.ticks:
        if tick != int(tick):
            continue
        x = _x(across, tick)
        where = "end" if x > WIDTH - 40 else "mid"
        x = min(x, WIDTH - 4) if where == "end" else x
        parts.append(element("text", named(tick), x=f"{x:.1f}", y=HEIGHT - 8, class_=where))
    parts.append(element("path", d=f"M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}", class_="axis"))
    return parts


def _x(across: Axis, step: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * across.place(step)


def _y(up: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * up.place(value)


def _dot(x: float, y: float, kind: str) -> Html:
    return element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="4", class_=f"dot {kind}")


def _line(points: Sequence[tuple[int, float]], across: Axis, up: Axis) -> str:
    """Broken where a value is not finite."""
    words, pen = [], "M"
    for step, value in points:
        if math.isfinite(value):
            words.append(f"{pen}{_x(across, step):.1f} {_y(up, value):.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(words)


def _band(s: Series, across: Axis, up: Axis) -> str:
    upper = [(step, high) for step, _, high in s.band]
    lower = [(step, low) for step, low, _ in reversed(s.band)]
    floor = up.low
    points = [(step, max(value, floor)) for step, value in upper + lower]
    return f"{_line(points, across, up)}Z"


# ---------------------------------------------------------------------- values as text


def values_table(title: str, drawn: Sequence[Series]) -> Html:
    """The values of a chart, folded: all steps of short series, evenly chosen ones of long ones."""
    steps = sorted({step for s in drawn for step, _ in s.points})
    chosen = steps
    if len(steps) > MAX_ROWS:
        chosen = [steps[round(k * (len(steps) - 1) / (MAX_ROWS - 1))] for k in range(MAX_ROWS)]
        ends = {s.points[-1][0] for s in drawn if len(s.points) <= MAX_ROWS // 4}
        chosen = sorted({*chosen, *ends})
    found = [dict(s.points) for s in drawn]
    rows = [
        [f"{step:,}", *(show(line[step]) if step in line else "" for line in found)]
        for step in chosen
    ]
    left_out = f", {len(chosen)} of {len(steps):,} steps" if len(chosen) < len(steps) else ""
    inner = table(["step", *(s.name for s in drawn)], rows, f"{title}{left_out}")
    return element("details", element("summary", "values"), inner, class_="values")
