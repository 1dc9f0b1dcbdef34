"""The settings of a sweep, checked, and the shares of the machine that follow from them."""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import UserError
from zoo.schema import bind
from zoo.sweep.prune import PruneName

if TYPE_CHECKING:
    from zoo.sweep.fork_server import Slot


@dataclass(frozen=True)
class SweepOptions:
    """What configs/sweep sets.

    Attributes:
        slots: Members at a time.
        member_minutes, max_minutes: After which a member, or the sweep, is ended.
        retries: How often a member that failed is tried again.
        on_failure: Whether the others go on, or are ended.
        resume: The folder of a sweep to go on with.
        zip: Settings whose lists go side by side.
        method: How members are chosen.
        trials: How many a search tries.
        seed: Of what a search chooses.
        space, when: What from; see zoo/sweep/space.py.
        prune, prune_after: Which members to end early; see zoo/sweep/prune.py.
    """

    slots: int | Literal["auto"] = "auto"
    member_minutes: float | None = None
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

    def find_slots(self, members: int, gpus: int, threads: int) -> "list[Slot]":
        """A share of the machine for each member that runs at a time.

        Args:
            members: How many there are.
            gpus: How many this machine has.
            threads: Of torch, at most.

        Raises:
            UserError: More slots than cores or GPUs.
        """
        from zoo.sweep.fork_server import Slot

        here = getattr(os, "sched_getaffinity", None)
        cores = len(here(0)) if here else os.cpu_count() or 1
        most, what = (gpus, "GPUs") if gpus else (cores, "cores")
        if self.slots != "auto" and self.slots > most:
            raise UserError(f"sweep.slots={self.slots}: this machine has {most} {what} to share")
        number = min(most if self.slots == "auto" else self.slots, max(1, members))
        threads = min(max(1, cores // number), threads)
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        names = visible if len(visible) >= gpus and visible[0] else [str(k) for k in range(gpus)]
        return [
            Slot(threads, {"CUDA_VISIBLE_DEVICES": names[k]} if gpus else {}) for k in range(number)
        ]


def read_options(settings: dict[str, Any]) -> SweepOptions:
    """From what was composed.

    Raises:
        UserError: A wrong type or value.
    """
    options = SweepOptions(**bind(SweepOptions, settings, {}, "sweep", "grid"))
    least = {"slots": 1, "retries": 0, "trials": 1, "seed": 0, "prune_after": 1}
    for name, bound in (least | {"member_minutes": 0, "max_minutes": 0}).items():
        value = getattr(options, name)
        if isinstance(value, int | float) and value < bound:
            raise UserError(f"sweep.{name}={value}: expected {bound} or more")
    return options
