"""`python scripts/curves.py runs=... metric=train/loss by=...`: learning curves of runs, drawn.

Runs that agree in the settings named by `by=` are one line: their mean, and a band of one standard
deviation. With `x=` the line is not over steps but over a setting, of the last value of each run:
test accuracy over the size of the training split, say. The figure is a PNG; the last values are
printed as a table.
"""

from collections import defaultdict
from collections.abc import Iterator
from math import isnan
from pathlib import Path
from statistics import fmean
from typing import Any

from zoo.commands.arguments import modules, options
from zoo.compare.curves import Curve, Groups, Points, draw_line, draw_points, label_axes
from zoo.compare.scale import MIN_LOG_RATIO
from zoo.config import groups as configs
from zoo.errors import UserError, report, unknown_name
from zoo.figures import render
from zoo.files import user_path
from zoo.phrases import plural
from zoo.runs.directory import RunDirectory, find_runs
from zoo.runs.rank import Spread
from zoo.runs.result import FILE, read_result
from zoo.terminal import remark
from zoo.text_table import text_table

USAGE = """\
python scripts/curves.py runs=outputs/<name> [metric=train/loss] [by=model.depth,...] [out=]

Plot the learning curves of the runs in a folder, one line for all runs with the same by= settings.

runs=    a folder of runs
metric=  train/loss (default), val/accuracy, ...
x=       a setting with numbers, such as data.train_size: the last value of each finished run over
         it, in place of the values of all steps
by=      settings by which runs are grouped, as [model.depth,model.residual]; none: one line per run
out=     the image file (default: curves.png in the folder)
smooth=  moving average over this many points (default 1)
"""


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report(lambda: _main(argv))


def _main(argv: list[str] | None) -> int:
    defaults = {"metric": "train/loss", "x": "", "by": "[]", "out": "", "smooth": "1"}
    values, overrides = options(argv, USAGE, runs=..., **defaults)
    if overrides:
        raise UserError(f"'{overrides[0]}': curves are drawn of runs as they are")
    if not values["smooth"].isdecimal() or int(values["smooth"]) < 1:
        raise UserError(f"smooth={values['smooth']}: expected a whole number above 0")
    folder = user_path(values["runs"])
    metric, by, across = values["metric"], modules(values["by"]), values["x"]
    out = user_path(values["out"] or folder / "curves.png")
    rows = [("", "runs", across or "steps", metric)]
    if across:
        lines = read_points(folder, metric, across, by)
        draw_over(lines, metric, across, out)
        for name, points in lines.items():
            rows += [(name, str(len(ends)), f"{x:,g}", _spread(ends)) for x, ends in points.items()]
    else:
        groups = read_curves(folder, metric, by, int(values["smooth"]))
        draw(groups, metric, out)
        for name, curves in groups.items():
            ends = [curve[max(curve)] for curve in curves]
            steps = max(max(curve) for curve in curves)
            rows.append((name, str(len(curves)), f"{steps:,}", _spread(ends)))
            _remark_on_lengths(name, curves)
    print(text_table(rows))
    print(out)
    return 0


def _remark_on_lengths(name: str, curves: list[Curve]) -> None:
    """Say where runs of one line end at other steps, or were reported at others."""
    ends = [max(curve) for curve in curves]
    common = len(set.intersection(*map(set, curves)))
    if min(ends) < max(ends) or not common:
        remark(
            f"note: {name}: its runs end at steps {min(ends):,} to {max(ends):,}; it is drawn at "
            f"the {common:,} that all have, and their last values are averaged"
        )


def _spread(values: list[float]) -> str:
    """`0.9164 ± 0.0100`; nan where a run diverged."""
    found = Spread.of(values)
    return f"{found.mean:.4f}" + ("" if isnan(found.deviation) else f" ± {found.deviation:.4f}")


def read_curves(folder: Path, metric: str, by: list[str], smooth: int = 1) -> Groups:
    """Curves of the runs below a folder, by the values of their settings.

    Args:
        folder: Where the runs lie.
        metric: `<split>/<name>`.
        by: Dotted names of settings; none for a group a run.
        smooth: Points in the moving average.

    Raises:
        UserError: No runs there, none with the metric, a setting that they lack.
    """
    groups: Groups = defaultdict(list)
    for path, points in _values(folder, metric):
        settings = configs.read_yaml(path / "config.yaml") if by else {}
        groups[_label(settings, by) or _name(path, folder)].append(_smoothed(points, smooth))
    return dict(sorted(groups.items()))


def read_points(folder: Path, metric: str, across: str, by: list[str]) -> dict[str, Points]:
    """The last values of runs over one of their settings, in rising order of it.

    Args:
        folder: Where the runs lie.
        metric: `<split>/<name>`.
        across: The dotted name of the setting; runs in which it is null are left out, and those
            that failed or have not finished.
        by: Dotted names of settings; runs that agree in them are one line.

    Raises:
        UserError: No runs there, none with the metric, a setting that they lack, or one that is no
            number.
    """
    lines: dict[str, Points] = defaultdict(dict)
    without = unfinished = 0
    for path, points in _values(folder, metric):
        has_ended = (path / FILE).is_file()  # not where it is running, or was killed
        if not has_ended or read_result(RunDirectory(path)).get("status") != "done":
            unfinished += 1
            continue
        settings = configs.read_yaml(path / "config.yaml")
        value = _setting(settings, across, "x")
        if value is None:
            without += 1
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(f"x={across}: {path} has {value}, expected a number in every run")
        values = lines[_label(settings, by) or "all runs"].setdefault(value, [])
        values.append(points[-1][1])
    if unfinished:
        remark(f"note: left out, as they failed or have not finished: {plural(unfinished, 'run')}")
    if not lines and without:
        raise UserError(f"x={across}: it is null in all {without} runs; expected numbers")
    if not lines:
        raise UserError(f"runs={folder}: none of the {unfinished} runs with {metric} has finished")
    if without:
        remark(f"note: left out, as {across} is null: {plural(without, 'run')}")
    return {name: dict(sorted(lines[name].items())) for name in sorted(lines)}


def _values(folder: Path, metric: str) -> Iterator[tuple[Path, list[tuple[int, float]]]]:
    """(run, its steps with their values), of the runs that have the metric."""
    split, _, name = metric.partition("/")
    known: set[str] = set()
    runs, found = list(find_runs(folder)), False
    if not runs:
        raise UserError(f"runs={folder}: there are no runs")
    for path in runs:
        run = RunDirectory(path)
        if not run.metrics_file.is_file():
            continue
        rows = list(run.metrics())
        known |= {f"{row['split']}/{key}" for row in rows for key in row}
        points = [(row["step"], row[name]) for row in rows if row["split"] == split and name in row]
        if points:
            found = True
            yield path, points
    if not found:
        names = {name for name in known if not name.endswith(("/step", "/split"))}
        raise UserError(unknown_name("metric", metric, sorted(names)))


def _label(settings: dict[str, Any], by: list[str]) -> str:
    return ", ".join(f"{key.rpartition('.')[2]}={_setting(settings, key, 'by')}" for key in by)


def _name(run: Path, folder: Path) -> str:
    """Of a run below a folder: sweeps call their runs alike."""
    return run.name if run == folder else run.relative_to(folder).as_posix()


def _setting(settings: dict[str, Any], key: str, option: str) -> Any:
    """The value of a run's setting, by its dotted name."""
    node: Any = settings
    for name in key.split("."):
        if not isinstance(node, dict) or name not in node:
            known = list(configs.leaves(settings))
            raise UserError(f"{option}: {configs.unknown_key(key, known)}")
        node = node[name]
    return node


def _smoothed(points: list[tuple[int, float]], window: int) -> Curve:
    """Each point the mean of itself and those before it."""
    curve = {}
    for k, (step, _) in enumerate(points):
        last = points[max(0, k + 1 - window) : k + 1]
        curve[step] = fmean(value for _, value in last)
    return curve


def draw(groups: Groups, metric: str, out: Path) -> None:
    """Lines with bands over steps, to a PNG."""
    figure = _figure()
    axes = figure.subplots()
    for name, curves in groups.items():
        draw_line(axes, curves, label=name, linewidth=1.6)
    label_axes(axes, groups, metric)
    _write(figure, out)


def draw_over(lines: dict[str, Points], metric: str, across: str, out: Path) -> None:
    """Lines with bands over a setting, to a PNG; on a logarithmic axis where it spans decades."""
    figure = _figure()
    axes = figure.subplots()
    for name, points in lines.items():
        draw_points(axes, points, label=name, linewidth=1.6, marker="o", markersize=4)
    groups = {n: [dict(enumerate(ys)) for ys in points.values()] for n, points in lines.items()}
    label_axes(axes, groups, metric, across)
    places = sorted({x for points in lines.values() for x in points})
    if places[0] > 0 and places[-1] / places[0] >= MIN_LOG_RATIO:
        axes.set_xscale("log")
        axes.set_xticks(places, [f"{x:g}" for x in places], minor=False)
        axes.minorticks_off()
    _write(figure, out)


def _figure() -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(7, 4.2), layout="constrained")


def _write(figure: Any, out: Path) -> None:
    figure.axes[0].legend(frameon=False, fontsize=8)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        png, note = render(figure, dpi=150)
        out.write_bytes(png)
    except OSError as error:
        raise UserError(f"out={out} cannot be written: {error.strerror}") from None
    if note:
        remark(f"note: {note}")
