"""Two runs compared: the settings and results that differ, and where their losses diverge."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from zoo.errors import UserError
from zoo.runs.records import Record, metric_curve
from zoo.runs.settings import ABSENT, identity

FACTS = ("status", "model", "parameters", "trained", "steps", "epochs", "seconds", "rate")
Pair = tuple[str, Any, Any]


@dataclass(frozen=True)
class Divergence:
    """Up to which step the loss curves of two runs are equal.

    Attributes:
        metric: The losses compared: `train/loss`, `val/loss`.
        equal: Number of reports that are bit-identical.
        together: The last step at which they are; 0 for none.
        step: The first step at which they are not; None if the curves never diverge.
        values: Both losses at that step.
        end: The last step that both have, and both losses there.
    """

    metric: str
    equal: int
    together: int
    step: int | None
    values: tuple[float, float] | None
    end: tuple[int, float, float]


@dataclass(frozen=True)
class Difference:
    """The differences of two runs, as (name, value of the first, value of the second)."""

    settings: list[Pair]
    facts: list[Pair]
    metrics: list[Pair]
    divergence: Divergence | None


def diff(first: Record, second: Record) -> Difference:
    """Compare two runs.

    Raises:
        UserError: They are the same run, or have nothing in common.
    """
    if first.path.resolve() == second.path.resolve():
        raise UserError(f"--diff: {first.path} and {second.path} are the same run")
    if first.data != second.data and first.experiment != second.experiment:
        raise UserError(
            f"--diff: {_title(first)} and {_title(second)} have nothing in common: another "
            f"experiment on other data"
        )
    names = dict.fromkeys([*first.settings, *second.settings])
    values = [(n, first.settings.get(n, ABSENT), second.settings.get(n, ABSENT)) for n in names]
    metric_names = dict.fromkeys([*first.metrics, *second.metrics])
    other_facts = _facts(second)
    facts = [(name, value, other_facts[name]) for name, value in _facts(first).items()]
    return Difference(
        settings=[pair for pair in values if identity(pair[1]) != identity(pair[2])],
        facts=[(name, a, b) for name, a, b in facts if a != b],
        metrics=[(n, first.metrics.get(n), second.metrics.get(n)) for n in sorted(metric_names)],
        divergence=find_divergence(first, second),
    )


def _title(run: Record) -> str:
    return f"{run.path} ({run.experiment or run.result.get('name')} on {run.data})"


def _facts(run: Record) -> dict[str, Any]:
    """Facts about a run: code, data, machine, cost."""
    result = run.result
    environment = result.get("environment") or {}
    data = result.get("data") or {}
    names = ("torch", "python", "platform", "processor", "device", "threads", "ranks")
    return {
        "commit": result.get("commit"),
        "data sha256": data.get("sha256"),
        "precision": result.get("precision"),
        **{name: environment.get(name) for name in names},
        **{name: result.get(name) for name in FACTS},
        "status": run.status,
        "best step": (result.get("best") or {}).get("step"),
    }


def find_divergence(first: Record, second: Record) -> Divergence | None:
    """Where the training losses diverge; if those cannot be compared, the validation losses; or
    None.

    A training loss is the mean since the report before: two of them measure the same only if both
    runs have reported at the same steps.
    """
    for split in ("train", "val"):
        a, b = metric_curve(first, split, "loss"), metric_curve(second, split, "loss")
        if split == "train":
            a, b = _same_intervals(a, b), _same_intervals(b, a)
        if steps := [step for step in a if step in b]:
            return _divergence(f"{split}/loss", steps, a, b)
    return None


def _divergence(
    metric: str, steps: Sequence[int], a: dict[int, float], b: dict[int, float]
) -> Divergence:
    equal = 0
    while equal < len(steps) and _same(a[steps[equal]], b[steps[equal]]):
        equal += 1
    step = steps[equal] if equal < len(steps) else None
    return Divergence(
        metric=metric,
        equal=equal,
        together=steps[equal - 1] if equal else 0,
        step=step,
        values=None if step is None else (a[step], b[step]),
        end=(steps[-1], a[steps[-1]], b[steps[-1]]),
    )


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def _same_intervals(curve: dict[int, float], other: dict[int, float]) -> dict[int, float]:
    """The reports of a curve whose previous report is at the same step in both."""
    intervals = set(pairwise([0, *other]))
    return {
        step: curve[step] for start, step in pairwise([0, *curve]) if (start, step) in intervals
    }
