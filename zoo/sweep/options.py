"""The options of a sweep (configs/sweep), checked, and the slots that follow from them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import UserError
from zoo.schema import bind
from zoo.sweep.prune import PruneName

if TYPE_CHECKING:
    from zoo.sweep.fork_server import Slot


@dataclass(frozen=True)
class SweepOptions:
    """The settings of configs/sweep.

    Attributes:
        slots: Number of trials that run at a time.
        trial_minutes, max_minutes: Time limits of a trial and of the sweep.
        retries: How often a failed trial is retried.
        on_failure: Whether the other trials continue or are stopped.
        resume: Folder of a sweep to resume.
        zip: Settings whose lists are combined one to one.
        method: How the settings of trials are chosen.
        trials: Number of trials of a search.
        seed: Seed of the search.
        space, when: The search space; see zoo/sweep/space.py.
        prune, prune_after: Which trials are stopped early; see zoo/sweep/prune.py.
    """

    slots: int | Literal["auto"] = "auto"
    trial_minutes: float | None = None
    max_minutes: float | None = None
    retries: int = 0
    on_failure: Literal["continue", "stop"] = "continue"
    resume: str | None = None
    zip: list[str] = field(default_factory=list)
    method: Literal["grid", "random", "tpe"] = "grid"
    trials: int = 30
    seed: int = 0
    space: dict[str, Any] = field(default_factory=dict)
    when: dict[str, Any] = field(default_factory=dict)
    prune: PruneName | None = None
    prune_after: int = 2

    def find_slots(self, trials: int, gpus: int, threads: int) -> "list[Slot]":
        """One slot for each trial that runs at a time: a GPU, or an equal part of the cores.

        Args:
            trials: Number of trials to run.
            gpus: Number of GPUs of this machine.
            threads: Upper limit of torch threads.

        Raises:
            UserError: More slots than cores or GPUs.
        """
        from zoo.sweep.fork_server import Slot

        affinity = getattr(os, "sched_getaffinity", None)
        cores = len(affinity(0)) if affinity else os.cpu_count() or 1
        available, unit = (gpus, "GPUs") if gpus else (cores, "cores")
        if self.slots != "auto" and self.slots > available:
            raise UserError(
                f"sweep.slots={self.slots}: this machine has {available} {unit} to share"
            )
        number = min(available if self.slots == "auto" else self.slots, max(1, trials))
        threads = min(max(1, cores // number), threads)
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        names = visible if len(visible) >= gpus and visible[0] else [str(k) for k in range(gpus)]
        return [
            Slot(threads, {"CUDA_VISIBLE_DEVICES": names[k]} if gpus else {}) for k in range(number)
        ]


def read_options(settings: Mapping[str, Any]) -> SweepOptions:
    """The options of a composed config.

    Raises:
        UserError: A wrong type or value.
    """
    values = dict(settings)
    if (minutes := values.pop("member_minutes", None)) is not None:  # the name it had before
        if values.get("trial_minutes") is not None:
            raise UserError(
                "sweep.member_minutes is the old name of sweep.trial_minutes: give one of the two"
            )
        values["trial_minutes"] = minutes
    options = SweepOptions(**bind(SweepOptions, values, {}, "sweep", "grid"))
    bounds = {"slots": 1, "retries": 0, "trials": 1, "seed": 0, "prune_after": 1}
    for name, bound in bounds.items():
        value = getattr(options, name)
        if isinstance(value, int) and value < bound:
            raise UserError(f"sweep.{name}={value}: expected {bound} or more")
    for name in ("trial_minutes", "max_minutes"):
        value = getattr(options, name)
        if value is not None and not value > 0:  # nor nan
            raise UserError(f"sweep.{name}={value}: expected a number above 0")
    return options
