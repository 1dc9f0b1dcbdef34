"""Pictures of a comparison: learning curves, parallel coordinates, the importance of settings.

As PNG files, and in an event file beside them, so that TensorBoard shows them too.
"""

import math
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.commands.curves import Curve, Groups, draw_line, finish
from zoo.compare.importance import Importance, importance, too_few
from zoo.compare.parallel import draw_parallel
from zoo.compare.scale import scale
from zoo.errors import UserError
from zoo.runs.rank import Group, Table
from zoo.runs.records import course
from zoo.runs.settings import ABSENT, identity, short_names, spell

NAMED, PALE = 10, 30  # lines with a colour and a name; lines in grey behind them
LETTERS = 40  # in a line of a name


def place_of(folders: Sequence[Path]) -> Path:
    """`compare/` in the folder that holds all that was compared."""
    return Path(os.path.commonpath([folder.absolute() for folder in folders])) / "compare"


def check(tables: Sequence[Table]) -> None:
    """Hold it to something to draw.

    Raises:
        UserError: No table with two runs.
    """
    if all(len(table.runs) < 2 for table in tables):
        raise UserError("--plot compares runs: there are not two finished ones to compare")


def draw(tables: Sequence[Table], place: Path) -> tuple[list[Path], list[str]]:
    """All pictures; which were made, and why others were not.

    Raises:
        UserError: The place cannot be written.
    """
    tables = [table for table in tables if len(table.runs) > 1]
    made, notes = [], []
    try:
        place.mkdir(exist_ok=True)
        for old in (*place.glob("*.png"), *place.glob("events.out.tfevents.*")):
            old.unlink()
        for table in tables:
            figures, said = _figures(table)
            prefix = f"{table.experiment or table.data}-" if len(tables) > 1 else ""
            notes += [f"{table.title}: {one}" if len(tables) > 1 else one for one in said]
            for name, figure in figures.items():
                path = _free(place, f"{prefix}{name}")
                figure.savefig(path, dpi=150)
                made.append(path)
        _to_tensorboard(place, made)
    except OSError as error:
        raise UserError(f"{place} cannot be written: {error.strerror or error}") from None
    return made, notes


def _free(place: Path, name: str) -> Path:
    """Of tables with one name, the second gets a number."""
    path, number = place / f"{name}.png", 1
    while path.exists():
        number += 1
        path = place / f"{name}-{number}.png"
    return path


def _to_tensorboard(place: Path, pictures: Sequence[Path]) -> None:
    """The files as they are: no torch, nothing drawn again."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(place))
    for path in pictures:
        image = Summary.Image(encoded_image_string=path.read_bytes())
        image.width, image.height = _size(image.encoded_image_string)
        image.colorspace = 4
        value = Summary.Value(tag=f"compare/{path.stem}", image=image)
        writer.add_event(Event(summary=Summary(value=[value]), step=0, wall_time=0))
    writer.close()


def _size(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


def _figures(table: Table) -> tuple[dict[str, Any], list[str]]:
    figures, notes = {}, []
    if curves := _curves(table):
        figures["curves"] = curves
    else:
        notes.append("curves: the runs have no metrics.jsonl to draw")
    groups = [group for group in table.groups if not math.isnan(group.score.mean)]
    names = short_names(table.columns)
    scales = [scale(names[n], [_value(group, n) for group in groups]) for n in table.columns]
    scores = scale(table.metric, [group.score.mean for group in groups])
    if scales and len(groups) > 1:
        shares = None
        if why := too_few(len(groups), len(scales)):
            notes.append(why)
        else:
            shares = importance(scales, scores.positions)
            figures["importance"] = _bars(table, shares, len(groups))
        figures["parallel"] = draw_parallel(table, scales, scores, shares)
    else:
        notes.append("parallel coordinates: no settings differ between the lines")
    return figures, notes


def _value(group: Group, name: str) -> Any:
    if name == "experiment":
        return group.runs[0].experiment
    return group.settings.get(name, ABSENT)


def label(place: int, group: Group, table: Table) -> str:
    """`1  width=16, lr=0.1`; what the lines with a colour have in common is left out."""
    named = [group.settings for group in table.groups[:NAMED]]
    names = {n: short for n, short in short_names(table.columns).items() if n == "experiment"
             or len({identity(one.get(n, ABSENT)) for one in named}) > 1}  # fmt: skip
    text = ", ".join(f"{short}={_word(_value(group, n))}" for n, short in names.items())
    indent = " " * 6
    return textwrap.fill(f"{place}  {text}", LETTERS, subsequent_indent=indent, max_lines=3)


def _word(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else spell(value)


def _curve(group: Group, metric: str) -> list[Curve]:
    split, _, name = metric.partition("/")
    curves = [curve for run in group.runs if (curve := course(run, split, name))]
    return curves if not curves or set.intersection(*map(set, curves)) else curves[:1]


def _curves(table: Table) -> Any:
    """Training and validation side by side: the best in colour, others in grey."""
    from matplotlib.figure import Figure

    name = table.metric.partition("/")[2]
    panels: list[tuple[str, Groups]] = []
    for metric in (f"train/{name}", f"val/{name}"):
        found = {
            label(place, group, table): curves
            for place, group in enumerate(table.groups[: NAMED + PALE], 1)
            if (curves := _curve(group, metric))
        }
        if found:
            panels.append((metric, found))
    if not panels:
        return None
    figure = Figure(figsize=(5.2 * len(panels) + 2.6, 4.6), layout="constrained")
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    colors = dict(zip(_all_names(panels), _colors()))
    handles: dict[str, Any] = {}
    for axes, (metric, groups) in zip(all_axes, panels):
        for place, (one, curves) in enumerate(reversed(groups.items())):
            color = colors.get(one)
            style = {"color": color or "0.82", "linewidth": 1.7 if color else 0.8}
            dots = "o" if max(map(len, curves)) == 1 else None
            draw_line(axes, curves, bool(color), zorder=2 + 0.01 * place, marker=dots, **style)
            if color:
                handles[one] = axes.lines[-1]
        finish(axes, groups, metric)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylabel("")
        axes.set_title(metric, fontsize=11)
        _zoom(axes, groups)
    names = [one for one in colors if one in handles]
    more = len(table.groups) - len(names)
    title = f"{table.title}: best {len(names)} of {len(table.groups)}" if more else table.title
    figure.legend(
        [handles[one] for one in names], names, loc="outside right upper", frameon=False,
        fontsize=8.5, title=title, title_fontsize=9, alignment="left",
    )  # fmt: skip
    return figure


def _all_names(panels: Sequence[tuple[str, Groups]]) -> list[str]:
    names = dict.fromkeys(name for _, groups in panels for name in groups)
    return sorted(names, key=lambda one: int(one.split()[0]))[:NAMED]


def _colors() -> list[Any]:
    from matplotlib import colormaps

    return [colormaps["tab10"](k) for k in range(NAMED)]


def _zoom(axes: Any, groups: Groups) -> None:
    """Where one run has diverged, the others stay visible."""
    values = sorted(v for curves in groups.values() for one in curves for v in one.values())
    finite = [v for v in values if math.isfinite(v)]
    if finite and axes.get_yscale() == "linear":
        low, high = finite[0], finite[int(0.98 * (len(finite) - 1))]
        if finite[-1] > high + 2 * (high - low) > high:
            axes.set_ylim(top=high + 0.1 * (high - low))


def _bars(table: Table, shares: Importance, lines: int) -> Any:
    from matplotlib.figure import Figure

    names = list(shares.total)[:15][::-1]
    figure = Figure(figsize=(7, 1.5 + 0.38 * len(names)), layout="constrained")
    axes = figure.subplots()
    total = [100 * shares.total[name] for name in names]
    alone = [100 * shares.alone[name] for name in names]
    axes.barh(names, total, color="#c6dbef", height=0.65, label="together with other settings")
    axes.barh(names, alone, color="#2166ac", height=0.65, label="alone")
    for k, value in enumerate(total):
        axes.text(value + 1, k, f"{value:.0f} %", va="center", fontsize=9)
    axes.set_xlim(0, max(total) * 1.14)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"share of the variance of {table.metric}, as a forest has learnt it (%)")
    doubt = "" if shares.fit > 0.3 else ": do not rely on it"
    axes.set_title(
        f"{table.title}: {lines} combinations, R² {shares.fit:.2f} on unseen ones{doubt}",
        fontsize=10, loc="left",
    )  # fmt: skip
    axes.legend(frameon=False, fontsize=8.5, loc="lower right")
    return figure
