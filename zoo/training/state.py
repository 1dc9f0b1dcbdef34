"""The state that decides the next training step, as a checkpoint of kind `last` holds it.

Each part of the trainer gives its own state and takes it back (`state` and `load`); here they are
put together, and written and read under the names that checkpoints have on the disk.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import UserError
from zoo.training.budget import Best
from zoo.training.checkpoint import STATE, Checkpoint, Tensors
from zoo.training.precision import FORMATS

FILES = ("model", "optimizer", "ranks", "ema")  # fields that are tensors, a file each
VALUES: dict[str, Any] = {  # the keys of state.json
    "step": int, "evaluated": int, "best": dict, "schedule": dict, "precision": dict,
    "metrics_bytes": int, "seconds": int | float, "grad_norm": int | float, "data_sha256": str,
    "base": str | None, "environment": dict,
}  # fmt: skip
EXACTNESS = ("torch", "device", "processor", "kernels", "threads", "ranks")
UNRECORDED = {"kernels": "auto"}  # missing in older checkpoints


@dataclass
class TrainState:
    """Everything that decides the next step. Fields but `FILES` are the keys of state.json.

    Attributes:
        model: Weights that training changes, by name.
        optimizer: Named `<parameter>|<quantity>`.
        ranks: State of single ranks, named `<rank>.rng.<generator>` (random numbers) and
            `<rank>.window.<metric>` (sums since the last report).
        ema: The averaged weights, or None.
        step: Optimizer steps taken.
        evaluated: The step last evaluated at.
        best: The best validation so far.
        schedule, precision: Of these parts.
        metrics_bytes: Bytes of metrics.jsonl that belong to steps up to `step`.
        seconds: Spent training.
        grad_norm: As last reported.
        data_sha256: Of the data.
        base: Identity of the weights that an adapter belongs to, or None.
        environment: Versions and settings that bit-exactness depends on.
    """

    model: Tensors
    optimizer: Tensors
    ranks: Tensors
    ema: Tensors | None
    step: int
    evaluated: int
    best: Best
    schedule: dict[str, Any]
    precision: dict[str, Any]
    metrics_bytes: int
    seconds: float
    grad_norm: float
    data_sha256: str
    base: str | None
    environment: dict[str, Any]

    @classmethod
    def read(cls, saved: Checkpoint) -> "TrainState":
        """From a checkpoint.

        Raises:
            UserError: Its state.json verifies, and yet is not one of a run.
        """
        fields: dict[str, Any] = {name: saved.tensors.get(name) for name in FILES}
        try:
            values: dict[str, Any] = {name: saved.state.get(name) for name in VALUES}
            wrong = [name for name, kind in VALUES.items() if not isinstance(values[name], kind)]
            fields |= values | {"best": Best(**values["best"])}
        except (AttributeError, TypeError) as error:
            raise UserError(f"{saved.path / STATE} is not a training state: {error}") from None
        if wrong or fields["model"] is None:
            listed = ", ".join(wrong or ["model"])
            raise UserError(f"{saved.path / STATE} is not a training state: {listed} is wrong")
        return cls(**fields)

    def tensors(self) -> dict[str, Tensors]:
        """For a checkpoint, by file."""
        return {name: t for name in FILES if (t := getattr(self, name)) is not None}

    def values(self) -> dict[str, Any]:
        """For a checkpoint, JSON."""
        values = {name: value for name, value in vars(self).items() if name not in FILES}
        return values | {"best": vars(self.best)}

    def of_rank(self, rank: int, kind: str) -> Tensors:
        """The tensors of one kind (`rng`, `window`) of a rank; none for a new rank."""
        prefix = f"{rank}.{kind}."
        return {n.removeprefix(prefix): t for n, t in self.ranks.items() if n.startswith(prefix)}

    def differences(self, data_sha256: str, environment: dict[str, Any]) -> Iterator[str]:
        """Reasons why the result may differ from that of an uninterrupted run."""
        if self.data_sha256 != data_sha256:
            yield (
                f"the data changed since the checkpoint (SHA-256 {self.data_sha256[:12]}, now "
                f"{data_sha256[:12]}): training continues, but not as it would have"
            )
        for key in EXACTNESS:
            if (before := self.environment.get(key, UNRECORDED.get(key))) != environment[key]:
                yield (
                    f"{key} was {before}, is {environment[key]}: the end may differ in the last "
                    f"bits from an uninterrupted run's"
                )


@contextlib.contextmanager
def state_must_fit(saved: Checkpoint) -> Iterator[None]:
    """Report in one line a state that verifies, and that a part refuses all the same.

    Raises:
        UserError: It does.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{saved.path} does not fit this run: {error!r}") from None


def check_base(base: str | None, saved: Checkpoint) -> None:
    """An adapter fits the weights that it was trained on, and no others.

    Raises:
        UserError: They are not the same.
    """
    then = saved.state.get("base")
    if then != base:
        raise UserError(
            f"{saved.path} holds an adapter of other weights (SHA-256 {str(then)[:12]}) than those "
            f"of init.from ({str(base)[:12]}); put the first ones back"
        )


def saved_precision(checkpoints: Path) -> str | None:
    """The number format of a run's newest checkpoint, in which it goes on; None before the first.

    What cannot be read is passed over; loading the checkpoint says why.
    """
    for folder in sorted(checkpoints.glob("last-*"), reverse=True):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            name = json.loads((folder / STATE).read_bytes())["precision"]["name"]
            if name in FORMATS:
                return name
    return None
