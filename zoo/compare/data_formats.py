"""A comparison for programs: CSV and JSON."""

import csv
import io
import json
import math
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from zoo.compare.baseline import beaten
from zoo.compare.command import repeat, repeat_all
from zoo.compare.explain import won_because
from zoo.compare.formats import facts, setting
from zoo.compare.judge import judge
from zoo.compare.wording import sentences
from zoo.files import finite
from zoo.program import spelled
from zoo.runs.rank import Group, Table
from zoo.runs.records import UnrankedRun
from zoo.runs.settings import format_value


def as_csv(tables: Sequence[Table], unranked: Sequence[UnrankedRun]) -> str:
    """A line for each group and for each unranked run, under one heading."""
    lines = records(tables, unranked)
    names = list(dict.fromkeys(name for line in lines for name in line))
    file = io.StringIO()
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(finite(lines))
    return file.getvalue().rstrip("\n")


def records(tables: Sequence[Table], unranked: Sequence[UnrankedRun]) -> list[dict[str, Any]]:
    """A line for each group and for each unranked run."""
    lines = [line for table in tables for line in _records(table)]
    return lines + [{"state": r.state, "path": str(r.path), "reason": r.reason} for r in unranked]


def _records(table: Table) -> Iterator[dict[str, Any]]:
    for rank, group in enumerate(table.groups, 1):
        data = " ".join([table.data, *table.measured])
        line: dict[str, Any] = {"state": "done", "experiment": table.experiment, "data": data}
        line |= {"metric": table.metric, "place": rank, "runs": len(group.runs)}
        for name in sorted({name for run in group.runs for name in run.metrics}):
            spread = group.figure(name)
            line |= {name: spread.mean, f"{name} deviation": spread.deviation}
        line |= {name: group.cost(name) for name in ("seconds", "steps", "parameters")}
        line |= {name: facts(group, name) for name in ("precision", "device", "commit")}
        for name in table.columns:
            value = group.settings.get(name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            line[name] = value if is_number else setting(group, name)
        for name in table.over:
            line[name] = " ".join(format_value(run.settings.get(name)) for run in group.runs)
        yield line | {"path": " ".join(shlex.quote(str(run.path)) for run in group.runs)}


def as_json(
    tables: Sequence[Table], unranked: Sequence[UnrankedRun], margin: float | None = None
) -> str:
    """Everything, for programs."""
    content = {
        "tables": [_table(table, margin) for table in tables],
        "apart": [
            {
                "state": run.state,
                "path": str(run.path),
                "reason": run.reason,
                "command": spelled(shlex.join(run.command)) or None,
            }
            for run in unranked
        ],
    }
    return json.dumps(finite(content), indent=1)


def _table(table: Table, margin: float | None) -> dict[str, Any]:
    first = table.groups[0]
    best = None if math.isnan(first.score.mean) else first.runs[0]
    verdict = judge(table, margin)
    return {
        "experiment": table.experiment,
        "data": table.data,
        "measured": list(table.measured),
        "metric": table.metric,
        "larger_is_better": table.larger,
        "averaged_over": list(table.over),
        "constant": table.constant,
        "repeats_left_out": table.repeats,
        "other_data": [str(run.path) for run in table.changed or ()],
        "command": repeat_all(first, table.over) if best else None,
        "best": {"path": str(best.path), "command": repeat(best)} if best else None,
        "verdict": verdict.as_json() | {"text": sentences(verdict)},
        "won_because": won_because(table, verdict),
        "groups": [_group(rank, group, table) for rank, group in enumerate(table.groups, 1)],
    }


def _group(rank: int, group: Group, table: Table) -> dict[str, Any]:
    names = sorted({name for run in group.runs for name in run.metrics})
    spreads = {name: group.figure(name) for name in names}
    of_run = ("seed", "steps", "parameters", "seconds", "rate", "precision", "device", "commit")
    experiment = {"experiment": group.runs[0].experiment}
    return {
        "place": rank,
        "beats_baseline": beaten(group, table.larger),
        "settings": {name: (experiment | group.settings).get(name) for name in table.columns},
        "figures": {n: {"mean": s.mean, "deviation": s.deviation} for n, s in spreads.items()},
        "runs": [
            {"path": str(run.path), "figures": run.metrics}
            | {name: run.result.get(name) for name in of_run}
            | {name: run.settings.get(name) for name in table.over}
            for run in group.runs
        ],
    }
