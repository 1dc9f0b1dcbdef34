"""Ranks runs: a table for each experiment, mean and standard deviation over seeds, best first."""

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.errors import UserError, closest_match, unknown_name
from zoo.runs.records import Record, UnrankedRun
from zoo.runs.settings import ABSENT, differing, format_value, identity

LOWER_IS_BETTER = frozenset((
    "loss", "error", "perplexity", "nll", "mse", "rmse", "mae", "bits", "entropy", "kl",
    "restoration", "distance", "gap",
))  # fmt: skip
OF_A_TASK = frozenset(("loss", "perplexity"))  # each task means another thing by these
SAME_LOSS = ("causal_lm", "classification", "distill")  # distillation reports that of the labels
PER_TOKEN = OF_A_TASK | {"accuracy"}  # of tasks that predict tokens
OF_TOKENS = frozenset(
    ("causal_lm", "masked_lm", "infilling", "seq2seq", "distill", "skip_gram", "cbow")
)
TOKENIZER = ("data.tokenizer", "data.vocab_size")
OF_WEIGHTS = "tokenizer"  # in result.json, of a run that took its tokenizer from init.from
FILES = tuple(f"data.{n}" for n in ("path", "source", "target", "subset", "labels", "captions"))
NOT_OF_DATASET = ("data.batch_size",)  # settings of `data` that do not change the dataset


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (nan for a single value)."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of values; nan if one of them is not finite."""
        if not all(map(math.isfinite, values)):
            return cls(math.nan, math.nan)
        deviation = statistics.stdev(values) if len(values) > 1 else math.nan
        return cls(statistics.fmean(values), deviation)


@dataclass
class Group:
    """Runs that differ only in the settings averaged over: one line of a table.

    Attributes:
        runs: Sorted by seed.
        metric: The metric that ranks them.
    """

    runs: list[Record]
    metric: str

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the first run."""
        return self.runs[0].settings

    @property
    def score(self) -> Spread:
        """Mean and deviation of the ranking metric."""
        return self.figure(self.metric)

    def figure(self, name: str) -> Spread:
        """Mean and deviation of `val/<name>` or `test/<name>`; nan if a run lacks it."""
        return Spread.of([run.metrics.get(name, math.nan) for run in self.runs])

    def cost(self, name: str) -> float:
        """The mean of a number in result.json: `seconds`, `steps`; nan if a run lacks it."""
        values = [run.result.get(name) for run in self.runs]
        numbers = [value for value in values if isinstance(value, int | float)]
        return statistics.fmean(numbers) if len(numbers) == len(values) else math.nan


@dataclass
class Table:
    """Runs that can be compared.

    Attributes:
        experiment: Of all runs; None if they differ or have none.
        data: The dataset's name.
        metric: `val/<name>` or `test/<name>`.
        larger: Whether higher is better.
        over: Settings that are averaged over.
        groups: Best first.
        columns: Settings in which groups differ.
        constant: Settings from the command line that are the same in all runs.
        repeats: Number of runs left out because a newer run has the same settings and seed.
        changed: Two runs that had equal data settings but different data, if there are any.
        measured: What sets it apart from other tables of the dataset: files, a task, a tokenizer.
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
    measured: tuple[str, ...] = ()

    @property
    def runs(self) -> list[Record]:
        """All ranked runs."""
        return [run for group in self.groups for run in group.runs]

    @property
    def title(self) -> str:
        """`mlp_rain on rain`, `runs on csv data.path=a.csv`."""
        return " ".join([f"{self.experiment or 'runs'} on {self.data}", *self.measured])


def rank(
    records: Sequence[Record], metric: str | None = None, over: Sequence[str] = ("seed",)
) -> tuple[list[Table], list[UnrankedRun]]:
    """Tables of finished runs, and the runs that lack the metric.

    A table for each experiment, dataset and monitor; with a metric, for each dataset: then
    different experiments are compared. Other files are another dataset, and the losses of other
    tasks or tokenizers are of another kind (`measured`).

    Args:
        records: Finished runs.
        metric: `val/<name>` or `test/<name>`; None for the monitor of each experiment.
        over: Settings to average over; empty for one line per run.

    Raises:
        UserError: A metric or a setting that no run has.
    """
    _check(records, metric, over)
    by_table: dict[Any, list[Record]] = {}
    for record in records:
        key = () if metric else (record.experiment, record.monitor)
        apart = measured(record, metric or record.monitor)
        by_table.setdefault((record.data, apart, *key), []).append(record)
    tables: list[Table] = []
    unranked: list[UnrankedRun] = []
    for (data, apart, *_), runs in by_table.items():
        name = metric or "val/" + runs[0].monitor.lstrip("-")
        unranked += [_lacking(r, name) for r in runs if name not in r.metrics]
        if scored := [run for run in runs if name in run.metrics]:
            experiments = {run.experiment for run in scored}
            experiment = experiments.pop() if len(experiments) == 1 else None
            table = _table(experiment, data, name, scored, tuple(over))
            table.measured = apart
            tables.append(table)
    _shorten_titles(tables)
    return tables, unranked


def measured(record: Record, metric: str) -> tuple[str, ...]:
    """What must be equal besides the dataset's name for a metric of two runs to be compared.

    Args:
        record: A run.
        metric: With its split or without.

    Returns:
        The user's files, `data.path=a.csv`; for a loss the task, `task=masked_lm`, and of what is
        a mean over tokens the tokenizer, `data.tokenizer=byte`, or that of the weights that
        training began with, `tokenizer=bpe-4096-3fa9c2d1`.
    """
    task = record.settings.get("task.name")
    words = _words(metric)
    given = [(name, record.settings.get(name)) for name in FILES]
    if is_per_token(task, metric):
        given += [(name, record.settings.get(name)) for name in TOKENIZER]
        given.append((OF_WEIGHTS, record.result.get(OF_WEIGHTS)))
    found = [f"{name}={format_value(value)}" for name, value in given if value is not None]
    if OF_A_TASK.isdisjoint(words) or task is None or task in SAME_LOSS:
        return tuple(found)
    return (*found, f"task={task}")


def is_per_token(task: str | None, metric: str) -> bool:
    """Whether a metric of a task is a mean over tokens, so that it depends on the tokenizer."""
    return task in OF_TOKENS and not PER_TOKEN.isdisjoint(_words(metric))


def _words(metric: str) -> list[str]:
    return metric.rpartition("/")[2].lstrip("-").split("_")


def kind(record: Record, monitor: str) -> tuple[str, ...]:
    """Equal for runs whose monitored metric may be compared."""
    return (record.data, monitor, *measured(record, monitor))


def _shorten_titles(tables: Sequence[Table]) -> None:
    """Leave out of `measured` what no two tables of a dataset differ in."""
    by_data: dict[str, list[Table]] = {}
    for table in tables:
        by_data.setdefault(table.data, []).append(table)
    for alike in by_data.values():
        counts = Counter(text for table in alike for text in table.measured)
        for table in alike:
            kept = (text for text in table.measured if counts[text] < len(alike))
            table.measured = tuple(kept)


def _check(records: Sequence[Record], metric: str | None, over: Sequence[str]) -> None:
    known = {name for record in records for name in record.metrics}
    if metric and records and metric not in known:
        raise UserError(unknown_name("metric", metric, known))
    settings = {name for record in records for name in record.settings}
    for name in over:
        if records and name not in settings:
            guess = closest_match(name, settings)
            hint = f"; did you mean '{guess}'?" if guess else ""
            raise UserError(
                f"--group-by {name}: no run has such a setting{hint} (or none: one line per run)"
            )


def _lacking(record: Record, metric: str) -> UnrankedRun:
    available = ", ".join(sorted(record.metrics)) or "no metrics"
    return UnrankedRun(record.path, "without", f"it has no {metric}; it has {available}")


def _changed(runs: Sequence[Record]) -> tuple[Record, Record] | None:
    """Two runs with equal data settings and seed but different data, if there are any."""
    first: dict[Any, Record] = {}
    for run in filter(_sha256, runs):  # of others it is not known
        values = ((n, identity(v)) for n, v in run.settings.items() if n not in NOT_OF_DATASET)
        key = frozenset((n, v) for n, v in values if n == "seed" or n.startswith("data."))
        if _sha256(other := first.setdefault(key, run)) != _sha256(run):
            return other, run
    return None


def _sha256(record: Record) -> str:
    return str((record.result.get("data") or {}).get("sha256", ""))


def larger_is_better(metric: str, *monitors: str) -> bool:
    """By the sign of a monitor that is this metric; otherwise by the name of the metric."""
    name = metric.partition("/")[2]
    for monitor in monitors:
        if name == monitor.lstrip("-"):
            return not monitor.startswith("-")
    return LOWER_IS_BETTER.isdisjoint(name.split("_"))


def _table(
    experiment: str | None, data: str, metric: str, runs: list[Record], over: tuple[str, ...]
) -> Table:
    larger = larger_is_better(metric, *(run.monitor for run in runs))
    table = Table(experiment, data, metric, larger, over)
    ranked = newest_of(runs) if over else runs
    table.repeats, table.changed = len(runs) - len(ranked), _changed(runs)
    groups: dict[Any, list[Record]] = {}
    for run in ranked:
        key = settings_key(run, over) if over else run.path
        groups.setdefault(key, []).append(run)
    for group_runs in groups.values():
        group_runs.sort(key=lambda run: [_order(run.settings.get(name)) for name in over])
    table.groups = [Group(group_runs, metric) for group_runs in groups.values()]
    table.groups.sort(key=lambda group: _sort_key(group.score.mean, table.larger))
    typed = set().union(*(run.typed for run in ranked))
    rows = [{"experiment": run.experiment} | run.settings for run in ranked]
    table.columns = [name for name in differing(rows, typed) if name not in over]
    table.constant = {
        name: value
        for name, value in ranked[0].settings.items()
        if {name, name.removesuffix(".name")} & typed and name not in over
        if all(identity(run.settings.get(name, ABSENT)) == identity(value) for run in ranked)
    }
    return table


def settings_key(run: Record, without: Sequence[str]) -> Any:
    """Equal for runs whose experiment and settings are, but for those named."""
    values = ((n, identity(v)) for n, v in run.settings.items() if n not in without)
    return run.experiment, frozenset(values)


def newest_of(runs: list[Record]) -> list[Record]:
    """Of runs with the same settings and seed, the one that ended last."""
    newest: dict[Any, Record] = {}
    for run in sorted(runs, key=lambda run: (run.ended, run.path)):
        newest[settings_key(run, ())] = run
    paths = {run.path for run in newest.values()}
    return [run for run in runs if run.path in paths]


def _sort_key(score: float, larger: bool) -> tuple[bool, float]:
    return math.isnan(score), -score if larger else score


def _order(value: Any) -> tuple[bool, Any]:
    number = isinstance(value, int | float)
    return not number, value if number else str(value)
