"""Learning curves as lines of a plot: the mean over runs, with a band of one standard deviation."""

from statistics import fmean
from typing import Any

from zoo.runs.rank import Spread

Curve = dict[int, float]  # value by step
Groups = dict[str, list[Curve]]
Points = dict[float, list[float]]  # of a setting's value, those of its runs


def draw_line(axes: Any, curves: list[Curve], band: bool = True, **style: Any) -> None:
    """The mean over curves at their common steps, with a band of one sample standard deviation."""
    steps = sorted(set.intersection(*(set(curve) for curve in curves)))
    draw_points(axes, {step: [curve[step] for curve in curves] for step in steps}, band, **style)


def draw_points(axes: Any, points: Points, band: bool = True, **style: Any) -> None:
    """The mean at each point, with a band of one sample standard deviation where all have one; of
    a run that diverged neither."""
    means = [fmean(values) for values in points.values()]
    (line,) = axes.plot(list(points), means, **style)
    if band and all(len(values) > 1 for values in points.values()):
        deviations = [Spread.of(values).deviation for values in points.values()]
        low = [m - d for m, d in zip(means, deviations, strict=True)]
        high = [m + d for m, d in zip(means, deviations, strict=True)]
        axes.fill_between(list(points), low, high, color=line.get_color(), alpha=0.15, linewidth=0)


def label_axes(axes: Any, groups: Groups, metric: str, across: str = "step") -> None:
    """Name the axes; positive losses get a logarithmic one."""
    values = (v for curves in groups.values() for curve in curves for v in curve.values())
    if "loss" in metric and all(value > 0 for value in values):
        axes.set_yscale("log")
    axes.set_xlabel(across)
    axes.set_ylabel(metric)
    axes.grid(alpha=0.3)
