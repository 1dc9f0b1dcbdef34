"""Which lines of a table do not beat the trivial baseline of their task."""

import math
from statistics import fmean

from zoo.phrases import first_few
from zoo.runs.rank import Group, Table
from zoo.training.console import show


def baseline(group: Group) -> tuple[str, float] | None:
    """The name of the trivial baseline and its metric, the mean over runs; None if not recorded."""
    split, _, name = group.metric.partition("/")
    found = [run.result.get("baseline") for run in group.runs]
    values = [(one.get(split) or {}).get(name) for one in found if isinstance(one, dict)]
    numbers = [value for value in values if isinstance(value, int | float)]
    if not numbers or len(numbers) < len(group.runs):
        return None
    return str((found[0] or {}).get("name", "baseline")), fmean(numbers)


def beaten(group: Group, larger: bool) -> bool | None:
    """Whether the mean of a line is better than its baseline; None if there is none."""
    known = baseline(group)
    if known is None:
        return None
    score = group.score.mean
    return score > known[1] if larger else score < known[1]


def unbeaten(table: Table) -> str | None:
    """A line on the groups that do not beat their baseline; None if all do."""
    places = [k for k, g in enumerate(table.groups, 1) if beaten(g, table.larger) is False]
    if not places:
        return None
    known = baseline(table.groups[places[0] - 1])
    assert known is not None
    name, value = known
    level = show(value) if math.isfinite(value) else "nan"
    listed = first_few(places, 8)
    return f"no better than the trivial baseline ({name}, {table.metric} {level}): {listed}"
