"""Parallel coordinates: an axis for each setting and one for the metric, a line for each group.

Ranges are chosen by dragging along an axis or in the fields below it; lines and rows of the
ranking outside of them fade.
"""

import math
from typing import Any

from zoo.compare.plots import value_of
from zoo.compare.scale import Scale, scale
from zoo.report.html import Html, element, join, scrolling
from zoo.runs.rank import Table
from zoo.runs.settings import format_value, short_names
from zoo.terminal import cut

MAX_LINES, MAX_AXES = 400, 12
HEIGHT, TOP, BOTTOM, SIDE = 300, 34, 282, 70
MIN_GAP, MAX_GAP, ROOM = 150, 240, 960  # between axes, and together


def parallel(table: Table, id_: str) -> tuple[Html, dict[str, Any]]:
    """The plot and what the script needs; nothing where fewer than two groups or no setting differ.

    Args:
        table: Ranked runs.
        id_: Unique in the page.
    """
    groups = [group for group in table.groups if math.isfinite(group.score.mean)][:MAX_LINES]
    columns = table.columns[:MAX_AXES]
    if not columns or len(groups) < 2:
        return Html(""), {}
    short = short_names(columns)
    values = [[value_of(group, name) for group in groups] for name in columns]
    scales = [scale(short[name], column) for name, column in zip(columns, values, strict=True)]
    scores = [group.score.mean for group in groups]
    scales.append(scale(table.metric, scores))
    values.append(scores)
    picture = _picture(id_, table, scales)
    fields = [_fields(id_, k, one, values[k]) for k, one in enumerate(scales)]
    reset = element("button", "show all", type="button", class_="reset")
    status = element("p", f"{len(groups)} of {len(groups)} lines", class_="readout", role="status")
    form = element("fieldset", element("legend", "Show only"), *fields, reset, class_="brushes")
    note = ""
    if len(table.columns) > MAX_AXES or len(groups) < len(table.groups):
        note = element("p", "The best lines and the first settings are drawn.", class_="note")
    box = scrolling(picture, "Parallel coordinates")
    content = {
        "axes": [
            {"positions": one.positions, "number": one.kind != "words",
             "values": [_plain(v) if one.kind != "words" else format_value(v) for v in column]}
            for one, column in zip(scales, values, strict=True)
        ],
        "table": id_.replace("parallel", "ranking"),
    }  # fmt: skip
    hint = element(
        "p",
        "Drag along an axis to choose a range, or use the fields below.",
        class_="note brushing",
    )
    plot = element("div", box, hint, form, status, note, id=id_, class_="parallel")
    return plot, {id_: content}


def _plain(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def _picture(id_: str, table: Table, scales: list[Scale]) -> Html:
    gap = max(MIN_GAP, min(MAX_GAP, ROOM // (len(scales) - 1)))
    width = 2 * SIDE + gap * (len(scales) - 1)
    count = len(scales[0].positions)
    best = max(count - 1, 1)
    lines = []
    for k in reversed(range(count)):  # the best on top
        places = [(SIDE + gap * j, _y(one.positions[k])) for j, one in enumerate(scales)]
        d = "M" + "L".join(f"{x} {y:.1f}" for x, y in places)
        tone = min(4, int(5 * k / best)) if count > 1 else 0
        lines.append(element("path", d=d, class_=f"run t{tone}", data_line=k))
    axes = [_axis(SIDE + gap * j, j, one) for j, one in enumerate(scales)]
    described = (
        f"{count} lines of the ranking over {', '.join(one.name for one in scales)}. "
        f"The ranking above has the same values as a table."
    )
    title = f"Settings and {table.metric}"
    return element(
        "svg",
        element("title", title, id=f"{id_}-title"),
        element("desc", described, id=f"{id_}-desc"),
        element("g", *lines),
        *axes,
        viewBox=f"0 0 {width} {HEIGHT}",
        role="img",
        aria_labelledby=f"{id_}-title {id_}-desc",
        class_="coordinates",
        width=width,
        height=HEIGHT,
    )


def _y(position: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * position


def _axis(x: int, j: int, one: Scale) -> Html:
    parts = [
        element("text", cut(one.name, 20), x=x, y=16, class_="mid name"),
        element("path", d=f"M{x} {TOP}V{BOTTOM}", class_="axis"),
        element("rect", x=x - 9, y=TOP, width=18, height=0, class_="brush"),
        element("rect", x=x - 18, y=TOP - 8, width=36, height=BOTTOM - TOP + 16, class_="grip"),
    ]
    parts += [
        element("text", cut(text, 14), x=x + 7, y=f"{_y(at) + 4:.1f}", class_="tick")
        for at, text in one.ticks
    ]
    return element("g", *parts, data_axis=j)


def _fields(id_: str, k: int, one: Scale, column: list[Any]) -> Html:
    """Least and greatest value of an axis of numbers, one value of an axis of words."""
    name = f"{id_}-{k}"
    if one.kind == "words":
        words = sorted({format_value(value) for value in column})
        options = [
            element("option", "any", value=""),
            *(element("option", w, value=w) for w in words),
        ]
        field = element("select", *options, id=name, data_axis=k)
        return element("div", element("label", one.name, for_=name), field, class_="field")
    numbers = [n for value in column if (n := _plain(value)) is not None]
    low, high = (f"{edge:.4g}" for edge in (min(numbers), max(numbers)))
    boxes = [
        element("input", type="number", step="any", id=f"{name}-{end}", placeholder=edge,
                data_axis=k, data_end=end, aria_label=f"{one.name}, {word}")
        for end, edge, word in (("min", low, "at least"), ("max", high, "at most"))
    ]  # fmt: skip
    content = join([element("span", one.name), element("span", boxes[0], " to ", boxes[1])])
    return element("div", content, class_="field")
