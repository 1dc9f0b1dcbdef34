"""Plots of a comparison: learning curves, parallel coordinates, the importance of settings.

They are PNG files, and an event file next to them with which TensorBoard shows them too.
"""

import math
import os
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from zoo.compare.curves import Curve, Groups, draw_line, label_axes
from zoo.compare.importance import Importance, importance, too_few
from zoo.compare.parallel import draw_parallel
from zoo.compare.scale import scale
from zoo.errors import UserError
from zoo.figures import render
from zoo.runs.rank import Group, Table
from zoo.runs.records import metric_curve
from zoo.runs.settings import ABSENT, format_value, identity, short_names

T = TypeVar("T")
MAX_COLORED, MAX_GREY = 10, 30  # groups with a color and a name; groups in grey behind them
LABEL_WIDTH = 40  # characters of a line of a label


def output_folder(folders: Sequence[Path]) -> Path:
    """`compare/` in the common parent of the folders that are compared."""
    return Path(os.path.commonpath([folder.absolute() for folder in folders])) / "compare"


def check(tables: Sequence[Table]) -> None:
    """Check that there is something to plot.

    Raises:
        UserError: No table with two runs.
    """
    if all(len(table.runs) < 2 for table in tables):
        raise UserError("--plot compares runs: there are not two finished ones to compare")


def draw(tables: Sequence[Table], folder: Path) -> tuple[list[Path], list[str]]:
    """Write all plots; returns their paths, and why others were not drawn.

    Raises:
        UserError: The folder cannot be written.
    """
    tables = [table for table in tables if len(table.runs) > 1]
    paths: list[Path] = []
    notes: list[str] = []
    try:
        folder.mkdir(exist_ok=True)
        for old in (*folder.glob("*.png"), *folder.glob("events.out.tfevents.*")):
            old.unlink()
        for table in tables:
            figures, table_notes = _figures(table)
            several = len(tables) > 1
            prefix = f"{table.experiment or table.data}-" if several else ""
            notes += [f"{table.title}: {note}" if several else note for note in table_notes]
            for name, figure in figures.items():
                if drawn := _attempt(name, notes, partial(render, figure, dpi=150)):
                    path = _unused_path(folder, f"{prefix}{name}")
                    path.write_bytes(drawn[0])
                    paths.append(path)
                    notes += [drawn[1]] if drawn[1] and drawn[1] not in notes else []
        _write_events(folder, paths)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or error}") from None
    return paths, notes


def _unused_path(folder: Path, name: str) -> Path:
    """Tables of the same name are numbered."""
    path, number = folder / f"{name}.png", 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.png"
    return path


def _write_events(folder: Path, paths: Sequence[Path]) -> None:
    """Copy the PNG files into an event file for TensorBoard; needs no torch."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    for path in paths:
        image = Summary.Image(encoded_image_string=path.read_bytes())
        image.width, image.height = _size(image.encoded_image_string)
        image.colorspace = 4
        value = Summary.Value(tag=f"compare/{path.stem}", image=image)
        writer.add_event(Event(summary=Summary(value=[value]), step=0, wall_time=0))
    writer.close()


def _size(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


def _figures(table: Table) -> tuple[dict[str, Any], list[str]]:
    """Figures by name, and notes on those that cannot be drawn."""
    figures: dict[str, Any] = {}
    notes: list[str] = []
    if curves := _attempt("curves", notes, lambda: _curves(table)):
        figures["curves"] = curves
    elif not notes:
        notes.append("curves: the runs have no metrics.jsonl to draw")
    _attempt("parallel coordinates", notes, lambda: _add_settings(table, figures, notes))
    return figures, notes


def _attempt(name: str, notes: list[str], draw: Callable[[], T]) -> T | None:
    """What is drawn, or a note that it cannot be."""
    try:
        return draw()
    except OSError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        notes.append(f"{name}: not drawn ({type(error).__name__}: {reason})")
        return None


def _add_settings(table: Table, figures: dict[str, Any], notes: list[str]) -> None:
    """Figures of the settings that differ; a note where there are none."""
    groups = [group for group in table.groups if not math.isnan(group.score.mean)]
    names = short_names(table.columns)
    scales = [scale(names[n], [value_of(group, n) for group in groups]) for n in table.columns]
    scores = scale(table.metric, [group.score.mean for group in groups])
    if not scales or len(groups) < 2:
        notes.append("parallel coordinates: no settings differ between the lines")
        return
    estimate = None
    if reason := too_few(len(groups), len(scales)):
        notes.append(reason)
    else:
        estimate = importance(scales, scores.positions)
        figures["importance"] = _bars(table, estimate, len(groups))
    figures["parallel"] = draw_parallel(table, scales, scores, estimate)


def value_of(group: Group, name: str) -> Any:
    """A setting of a group's first run, or its experiment."""
    if name == "experiment":
        return group.runs[0].experiment
    return group.settings.get(name, ABSENT)


def label(rank: int, group: Group, table: Table) -> str:
    """`1  width=16, lr=0.1`, without the settings that all colored groups have in common."""
    colored = [colored.settings for colored in table.groups[:MAX_COLORED]]
    names = {
        name: short
        for name, short in short_names(table.columns).items()
        if name == "experiment"
        or len({identity(settings.get(name, ABSENT)) for settings in colored}) > 1
    }
    text = ", ".join(f"{short}={_short(value_of(group, name))}" for name, short in names.items())
    indent = " " * 6
    return textwrap.fill(f"{rank}  {text}", LABEL_WIDTH, subsequent_indent=indent, max_lines=3)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else format_value(value)


def group_curves(group: Group, metric: str) -> list[Curve]:
    """The curves of a group's runs; only the first if they have no step in common."""
    split, _, name = metric.partition("/")
    curves = [curve for run in group.runs if (curve := metric_curve(run, split, name))]
    return curves if not curves or set.intersection(*map(set, curves)) else curves[:1]


def _curves(table: Table) -> Any:
    """Training and validation next to each other: the best groups in color, others in grey."""
    from matplotlib.figure import Figure

    name = table.metric.partition("/")[2]
    panels: list[tuple[str, Groups]] = []
    for metric in (f"train/{name}", f"val/{name}"):
        groups = {
            label(rank, group, table): curves
            for rank, group in enumerate(table.groups[: MAX_COLORED + MAX_GREY], 1)
            if (curves := group_curves(group, metric))
        }
        if groups:
            panels.append((metric, groups))
    if not panels:
        return None
    figure = Figure(figsize=(5.2 * len(panels) + 2.6, 4.6), layout="constrained")
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    colors = _colors(panels)
    handles: dict[str, Any] = {}
    for axes, (metric, groups) in zip(all_axes, panels, strict=True):
        handles |= _draw_panel(axes, groups, colors)
        label_axes(axes, groups, metric)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylabel("")
        axes.set_title(metric, fontsize=11)
        _limit_outliers(axes, groups)
    names = [label for label in colors if label in handles]
    uncolored = len(table.groups) - len(names)
    title = f"{table.title}: best {len(names)} of {len(table.groups)}" if uncolored else table.title
    figure.legend(
        [handles[label] for label in names], names, loc="outside right upper", frameon=False,
        fontsize=8.5, title=title, title_fontsize=9, alignment="left",
    )  # fmt: skip
    return figure


def _colors(panels: Sequence[tuple[str, Groups]]) -> dict[str, Any]:
    """A color for each of the best labels, by rank."""
    from matplotlib import colormaps

    labels = dict.fromkeys(label for _, groups in panels for label in groups)
    best = sorted(labels, key=lambda label: int(label.split()[0]))[:MAX_COLORED]
    return {label: colormaps["tab10"](k) for k, label in enumerate(best)}


def _draw_panel(axes: Any, groups: Groups, colors: dict[str, Any]) -> dict[str, Any]:
    """Draw groups, the best on top; returns the lines that have a color, by label."""
    handles = {}
    for order, (label, curves) in enumerate(reversed(groups.items())):
        color = colors.get(label)
        style = {"color": color or "0.82", "linewidth": 1.7 if color else 0.8}
        marker = "o" if max(map(len, curves)) == 1 else None
        draw_line(axes, curves, bool(color), zorder=2 + 0.01 * order, marker=marker, **style)
        if color:
            handles[label] = axes.lines[-1]
    return handles


def _limit_outliers(axes: Any, groups: Groups) -> None:
    """Limit the axis so that one diverged run does not hide the others."""
    values = sorted(v for curves in groups.values() for curve in curves for v in curve.values())
    finite = [v for v in values if math.isfinite(v)]
    if finite and axes.get_yscale() == "linear":
        low, high = finite[0], finite[int(0.98 * (len(finite) - 1))]
        if finite[-1] > high + 2 * (high - low) > high:
            axes.set_ylim(top=high + 0.1 * (high - low))


def _bars(table: Table, estimate: Importance, groups: int) -> Any:
    from matplotlib.figure import Figure

    names = list(estimate.total)[:15][::-1]
    figure = Figure(figsize=(7, 1.5 + 0.38 * len(names)), layout="constrained")
    axes = figure.subplots()
    total = [100 * estimate.total[name] for name in names]
    alone = [100 * estimate.alone[name] for name in names]
    axes.barh(names, total, color="#c6dbef", height=0.65, label="together with other settings")
    axes.barh(names, alone, color="#2166ac", height=0.65, label="alone")
    for k, value in enumerate(total):
        axes.text(value + 1, k, f"{value:.0f} %", va="center", fontsize=9)
    axes.set_xlim(0, max(total) * 1.14)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"fraction of the variance of {table.metric}, by a random forest (%)")
    unreliable = "" if estimate.fit > 0.3 else ": do not rely on it"
    axes.set_title(
        f"{table.title}: {groups} combinations, out-of-bag R² {estimate.fit:.2f}{unreliable}",
        fontsize=10, loc="left",
    )  # fmt: skip
    axes.legend(frameon=False, fontsize=8.5, loc="lower right")
    return figure
