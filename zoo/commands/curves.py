"""`python scripts/curves.py runs=... metric=train/loss by=...`: learning curves of runs, drawn.

Runs that agree in the settings named by `by=` are one line: their mean, and a band of one standard
deviation. The figure is a PNG; the last values are printed as a table.
"""

from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from zoo.commands.arguments import options
from zoo.commands.evaluate import modules
from zoo.compare.curves import Curve, Groups, draw_line, label_axes
from zoo.config import groups as configs
from zoo.errors import UserError, report, unknown_name
from zoo.figures import render
from zoo.files import user_path
from zoo.runs.directory import RunDirectory, find_runs
from zoo.terminal import remark
from zoo.text_table import text_table

USAGE = """\
python scripts/curves.py runs=outputs/<name> [metric=train/loss] [by=model.depth,...] [out=]

Plot the learning curves of the runs in a folder, one line for all runs with the same by= settings.

runs=    a folder of runs
metric=  train/loss (default), val/accuracy, ...
by=      settings by which runs are grouped, as [model.depth,model.residual]; none: one line per run
out=     the image file (default: curves.png in the folder)
smooth=  moving average over this many points (default 1)
"""


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report(lambda: _main(argv))


def _main(argv: list[str] | None) -> int:
    defaults: dict[str, Any] = {"metric": "train/loss", "by": "[]", "out": "", "smooth": "1"}
    values, overrides = options(argv, USAGE, runs=..., **defaults)
    if overrides:
        raise UserError(f"'{overrides[0]}': curves are drawn of runs as they are")
    if not values["smooth"].isdecimal() or int(values["smooth"]) < 1:
        raise UserError(f"smooth={values['smooth']}: expected a whole number above 0")
    folder = user_path(values["runs"])
    groups = read_curves(folder, values["metric"], modules(values["by"]), int(values["smooth"]))
    out = user_path(values["out"] or folder / "curves.png")
    draw(groups, values["metric"], out)
    rows = [("", "runs", "steps", values["metric"])]
    for name, curves in groups.items():
        ends = [curve[max(curve)] for curve in curves]
        spread = f" ± {stdev(ends):.4f}" if len(ends) > 1 else ""
        steps = max(max(curve) for curve in curves)
        rows.append((name, str(len(curves)), f"{steps:,}", f"{mean(ends):.4f}{spread}"))
    print(text_table(rows))
    print(out)
    return 0


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
    split, _, name = metric.partition("/")
    known: set[str] = set()
    runs = list(find_runs(folder))
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
            settings = configs.read_yaml(path / "config.yaml") if by else {}
            groups[_label(settings, by) or path.name].append(_smoothed(points, smooth))
    if not groups:
        names = {name for name in known if not name.endswith(("/step", "/split"))}
        raise UserError(unknown_name("metric", metric, sorted(names)))
    return dict(sorted(groups.items()))


def _label(settings: dict[str, Any], by: list[str]) -> str:
    parts = []
    for key in by:
        node: Any = settings
        for name in key.split("."):
            if not isinstance(node, dict) or name not in node:
                raise UserError(f"by: {configs.unknown_key(key, list(configs.leaves(settings)))}")
            node = node[name]
        parts.append(f"{key.rpartition('.')[2]}={node}")
    return ", ".join(parts)


def _smoothed(points: list[tuple[int, float]], window: int) -> Curve:
    """Each point the mean of itself and those before it."""
    curve = {}
    for k, (step, _) in enumerate(points):
        last = points[max(0, k + 1 - window) : k + 1]
        curve[step] = mean(value for _, value in last)
    return curve


def draw(groups: Groups, metric: str, out: Path) -> None:
    """Lines with bands, to a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, curves in groups.items():
        draw_line(axes, curves, label=name, linewidth=1.6)
    label_axes(axes, groups, metric)
    axes.legend(frameon=False, fontsize=8)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        png, note = render(figure, dpi=150)
        out.write_bytes(png)
    except OSError as error:
        raise UserError(f"out={out} cannot be written: {error.strerror}") from None
    if note:
        remark(f"note: {note}")
