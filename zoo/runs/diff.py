"""Two runs side by side: what differs between them, and where their losses part."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zoo.errors import UserError
from zoo.runs.records import Record, course
from zoo.runs.settings import ABSENT, identity

FACTS = ("status", "model", "parameters", "trained", "steps", "epochs", "seconds", "rate")
Pair = tuple[str, Any, Any]


@dataclass(frozen=True)
class Parting:
    """How far two courses of losses agree.

    Attributes:
        metric: Which losses: `train/loss`, `val/loss`.
        equal: Reports that agree to the last bit.
        together: The last step at which they do; 0 for none.
        step: The first at which they do not; None where they never part.
        values: Both losses there.
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
    """Of two runs: (name, one's, other's)."""

    settings: list[Pair]
    facts: list[Pair]
    figures: list[Pair]
    parting: Parting | None


def diff(one: Record, other: Record) -> Difference:
    """What differs.

    Raises:
        UserError: It is one run, or they have nothing in common.
    """
    if one.path.resolve() == other.path.resolve():
        raise UserError(f"--diff: {one.path} and {other.path} are the same run")
    if one.data != other.data and one.experiment != other.experiment:
        raise UserError(
            f"--diff: {_what(one)} and {_what(other)} have nothing in common: another experiment "
            f"on other data"
        )
    names = dict.fromkeys([*one.settings, *other.settings])
    values = [(n, one.settings.get(n, ABSENT), other.settings.get(n, ABSENT)) for n in names]
    settings = [pair for pair in values if identity(pair[1]) != identity(pair[2])]
    figures = dict.fromkeys([*one.figures, *other.figures])
    pairs = zip(_facts(one).items(), _facts(other).values())
    return Difference(
        settings=settings,
        facts=[(name, a, b) for (name, a), b in pairs if a != b],
        figures=[(n, one.figures.get(n), other.figures.get(n)) for n in sorted(figures)],
        parting=part(one, other),
    )


def _what(run: Record) -> str:
    return f"{run.path} ({run.experiment or run.result.get('name')} on {run.data})"


def _facts(run: Record) -> dict[str, Any]:
    """What is known of how a run went: code, data, machine, cost."""
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


def part(one: Record, other: Record) -> Parting | None:
    """Where the training losses part; where those cannot be compared, the validation's; or None.

    A training loss is the mean since the report before, so that two are the same figure only where
    both runs have reported at the same steps.
    """
    for split in ("train", "val"):
        a, b = course(one, split, "loss"), course(other, split, "loss")
        if split == "train":
            a, b = _from_the_same(a, b), _from_the_same(b, a)
        if steps := [step for step in a if step in b]:
            return _parting(f"{split}/loss", steps, a, b)
    return None


def _parting(
    metric: str, steps: Sequence[int], a: dict[int, float], b: dict[int, float]
) -> Parting:
    equal = 0
    while equal < len(steps) and _same(a[steps[equal]], b[steps[equal]]):
        equal += 1
    step = steps[equal] if equal < len(steps) else None
    return Parting(
        metric=metric,
        equal=equal,
        together=steps[equal - 1] if equal else 0,
        step=step,
        values=None if step is None else (a[step], b[step]),
        end=(steps[-1], a[steps[-1]], b[steps[-1]]),
    )


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def _from_the_same(mine: dict[int, float], theirs: dict[int, float]) -> dict[int, float]:
    """Reports that follow the same report in both."""
    before = dict(zip(theirs, [0, *theirs]))
    return {
        step: mine[step] for step, last in zip(mine, [0, *mine]) if before.get(step, -1) == last
    }
