"""Runs ranked: a table for each experiment, seeds as mean and deviation, the best first."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.errors import UserError, closest_match, unknown_name
from zoo.runs.records import Apart, Record
from zoo.runs.settings import ABSENT, differing, identity

SMALLER = frozenset("loss error perplexity nll mse rmse mae bits".split())
DEALT = ("data.batch_size",)  # leaves what the data is as it is


@dataclass(frozen=True)
class Spread:
    """Mean and sample deviation (nan of a single value)."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        if not all(map(math.isfinite, values)):
            return cls(math.nan, math.nan)
        deviation = statistics.stdev(values) if len(values) > 1 else math.nan
        return cls(statistics.fmean(values), deviation)


@dataclass
class Group:
    """Runs that differ in nothing but what they are averaged over: one line of a table.

    Attributes:
        runs: By seed.
        metric: What they are ranked by.
    """

    runs: list[Record]
    metric: str

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the first run."""
        return self.runs[0].settings

    @property
    def score(self) -> Spread:
        """Of the metric."""
        return self.figure(self.metric)

    def figure(self, name: str) -> Spread:
        """Of `val/<name>`, `test/<name>`; nan where a run lacks it."""
        return Spread.of([run.figures.get(name, math.nan) for run in self.runs])

    def cost(self, name: str) -> float:
        """The mean of a number in result.json: `seconds`, `steps`; nan where a run lacks it."""
        values = [run.result.get(name) for run in self.runs]
        whole = all(isinstance(value, int | float) for value in values)
        return statistics.fmean(values) if whole else math.nan  # type: ignore[arg-type]


@dataclass
class Table:
    """Runs that may be compared.

    Attributes:
        experiment: Of all, None where they differ or have none.
        data: The dataset's name.
        metric: `val/<name>` or `test/<name>`.
        larger: Whether larger is better.
        over: Settings that were averaged over.
        groups: The best first.
        columns: Settings in which groups differ.
        constant: Settings that somebody set by hand, the same in all.
        repeats: Runs that were left out: a newer one has the same settings, seed and all.
        changed: Two runs of which equal settings were given different data, if there are any.
    """

    experiment: str | None
    data: str
    metric: str
    larger: bool
    over: tuple[str, ...]
    groups: list[Group] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    constant: dict[str, Any] = field(default_factory=dict)
    repeats: int = 0
    changed: tuple[Record, Record] | None = None

    @property
    def runs(self) -> list[Record]:
        """All that are ranked."""
        return [run for group in self.groups for run in group.runs]

    @property
    def title(self) -> str:
        """`mlp_rain on rain`."""
        return f"{self.experiment or 'runs'} on {self.data}"


def rank(
    records: Sequence[Record], metric: str | None = None, over: Sequence[str] = ("seed",)
) -> tuple[list[Table], list[Apart]]:
    """Tables of runs that are done, and the runs that lack the metric.

    A table for each experiment, data and monitor. With a metric, one for each data: who names a
    metric says by what to compare experiments.

    Args:
        records: Runs that are done.
        metric: `val/<name>` or `test/<name>`; None for what each experiment watches.
        over: Settings that may differ within a line; none for a line a run.

    Raises:
        UserError: A metric or a setting that no run has.
    """
    _check(records, metric, over)
    kinds: dict[Any, list[Record]] = {}
    for record in records:
        kind = () if metric else (record.experiment, record.monitor)
        kinds.setdefault((record.data, *kind), []).append(record)
    tables, apart = [], []
    for (data, *_), runs in kinds.items():
        name = metric or "val/" + runs[0].monitor.lstrip("-")
        apart += [_lacking(r, name) for r in runs if name not in r.figures]
        if scored := [run for run in runs if name in run.figures]:
            experiments = {run.experiment for run in scored}
            tables.append(
                _table(
                    experiments.pop() if len(experiments) == 1 else None,
                    data,
                    name,
                    scored,
                    tuple(over),
                )
            )
    return tables, apart


def _check(records: Sequence[Record], metric: str | None, over: Sequence[str]) -> None:
    known = {name for record in records for name in record.figures}
    if metric and records and metric not in known:
        raise UserError(unknown_name("metric", metric, known))
    settings = {name for record in records for name in record.settings}
    for name in over:
        if records and name not in settings:
            guess = closest_match(name, settings)
            hint = f"; did you mean '{guess}'?" if guess else ""
            raise UserError(
                f"--group-by {name}: no run has such a setting{hint} (or none: a line a run)"
            )


def _lacking(record: Record, metric: str) -> Apart:
    there = ", ".join(sorted(record.figures)) or "no figures"
    return Apart(record.path, "without", f"it has no {metric}; it has {there}")


def _changed(runs: Sequence[Record]) -> tuple[Record, Record] | None:
    """Two runs that were given different data by equal settings and seed, if there are any."""
    first: dict[Any, Record] = {}
    for run in runs:
        values = ((n, identity(v)) for n, v in run.settings.items() if n not in DEALT)
        key = frozenset((n, v) for n, v in values if n == "seed" or n.startswith("data."))
        if _sha256(other := first.setdefault(key, run)) != _sha256(run):
            return other, run
    return None


def _sha256(record: Record) -> str:
    return str((record.result.get("data") or {}).get("sha256", ""))


def larger_is_better(metric: str, monitor: str) -> bool:
    """By the monitor's sign for its own metric; else not for losses, errors and the like."""
    name = metric.partition("/")[2]
    if name == monitor.lstrip("-"):
        return not monitor.startswith("-")
    return SMALLER.isdisjoint(name.split("_"))


def _table(
    experiment: str | None, data: str, metric: str, runs: list[Record], over: tuple[str, ...]
) -> Table:
    table = Table(experiment, data, metric, larger_is_better(metric, runs[0].monitor), over)
    kept = _newest(runs) if over else runs
    table.repeats, table.changed = len(runs) - len(kept), _changed(runs)
    groups: dict[Any, list[Record]] = {}
    for run in kept:
        key = _key(run, over) if over else run.path
        groups.setdefault(key, []).append(run)
    for members in groups.values():
        members.sort(key=lambda run: [_order(run.settings.get(name)) for name in over])
    table.groups = [Group(members, metric) for members in groups.values()]
    table.groups.sort(key=lambda group: _badness(group.score.mean, table.larger))
    typed = set().union(*(run.typed for run in kept))
    rows = [{"experiment": run.experiment} | run.settings for run in kept]
    table.columns = [name for name in differing(rows, typed) if name not in over]
    table.constant = {
        name: value
        for name, value in kept[0].settings.items()
        if {name, name.removesuffix(".name")} & typed and name not in over
        if all(identity(run.settings.get(name, ABSENT)) == identity(value) for run in kept)
    }
    return table


def _key(run: Record, without: Sequence[str]) -> Any:
    kept = ((n, identity(v)) for n, v in run.settings.items() if n not in without)
    return run.experiment, frozenset(kept)


def _newest(runs: list[Record]) -> list[Record]:
    """Of runs that agree in everything, seed and all, the one that ended last."""
    newest: dict[Any, Record] = {}
    for run in sorted(runs, key=lambda run: (run.ended, run.path)):
        newest[_key(run, ())] = run
    kept = {run.path for run in newest.values()}
    return [run for run in runs if run.path in kept]


def _badness(score: float, larger: bool) -> tuple[bool, float]:
    return math.isnan(score), -score if larger else score


def _order(value: Any) -> tuple[bool, Any]:
    number = isinstance(value, int | float)
    return not number, value if number else str(value)


def not_told_apart(table: Table) -> list[int]:
    """Places whose mean is within two standard errors of the best's: more seeds would tell.

    Only of lines with two runs or more, as the best has to be.
    """
    if not table.groups or len(table.groups[0].runs) < 2:
        return []
    best, places = table.groups[0], []
    for place, group in enumerate(table.groups[1:], 2):
        if len(group.runs) > 1:
            error = math.hypot(*(g.score.deviation / len(g.runs) ** 0.5 for g in (best, group)))
            if abs(best.score.mean - group.score.mean) <= 2 * error:
                places.append(place)
    return places
