"""Members in processes of their own, as many at a time as there are slots.

A process that crashes, hangs or is killed ends alone. When the sweep itself dies, its members die
with it, so that none is ever run twice at a time.
"""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.sweep.fork_server import Nursery, Order, Slot

GRACE = 30.0  # seconds from being asked to end to being ended
POLL = 0.05  # seconds between looks at whether to stop


@dataclass
class Job:
    """One process.

    Attributes:
        work: Its task, to be pickled; the exit code.
        log: Where what it prints goes.
        limit: Seconds that it may take, None for any.
        unwanted: Set to have it ended.
    """

    work: Callable[[], int]
    log: Path
    limit: float | None = None
    slot: Slot | None = None
    started: float = 0.0
    asked: float | None = None
    overdue: bool = False
    unwanted: bool = False


def run(
    nursery: Nursery,
    following: Callable[[], Job | None],
    slots: Sequence[Slot],
    ended: Callable[[Job, int], Job | None],
    stopping: Callable[[], bool],
    tick: Callable[[Sequence[Job]], Any],
) -> None:
    """Run jobs, as many at a time as there are slots.

    Args:
        nursery: What they are forked from.
        following: Asked for the next one when a slot is free; None when there is no other.
        slots: Shares of the machine.
        ended: Told of each process that has ended, with its exit code (128 + n for signal n); what
            it returns runs next.
        stopping: Whether to begin no more, and ask those that run to end.
        tick: Told now and then which are running.
    """
    free, again = list(slots), list[Job]()
    running: dict[int, Job] = {}
    begun = 0
    while True:
        while free and not stopping() and (job := again.pop() if again else following()):
            job.slot, job.started = free.pop(0), time.monotonic()
            nursery.fork(Order(begun, job.work, job.log, job.slot))
            running[begun] = job
            begun += 1
        if not running:
            return
        for number, code in nursery.ended(POLL):
            job = running.pop(number)
            assert job.slot is not None
            free.append(job.slot)
            if anew := ended(job, code):
                again.append(anew)
        for number, job in running.items():
            _see_to(nursery, number, job, stopping())
        tick(list(running.values()))


def _see_to(nursery: Nursery, number: int, job: Job, stop: bool) -> None:
    """One that is to end is asked to, and then made to."""
    now = time.monotonic()
    if job.limit is not None and now - job.started > job.limit:
        job.overdue = True
    if (stop or job.overdue or job.unwanted) and job.asked is None:
        job.asked = now
        nursery.signal(number, signal.SIGTERM)
    elif job.asked is not None and now - job.asked > GRACE:
        nursery.signal(number, signal.SIGKILL)
