"""A process pool: runs jobs in processes of their own, as many at a time as there are slots.

A process that crashes, hangs or is killed does not affect the others. When the sweep itself dies,
its processes die with it, so that no trial ever runs twice at the same time.
"""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.sweep.fork_server import ForkRequest, ForkServer, Slot

GRACE_SECONDS = 30.0  # between SIGTERM and SIGKILL
POLL_SECONDS = 0.05


@dataclass
class Job:
    """One process.

    Attributes:
        work: The function to run, pickled; returns the exit code.
        log: File for its output.
        limit: Time limit in seconds; None for no limit.
        slot: The part of the machine it runs on, once started.
        started: Monotonic time of its start.
        terminated_at: Monotonic time of its SIGTERM; None before.
        timed_out: Whether it exceeded its time limit.
        cancel_requested: Set it to have the process terminated.
    """

    work: Callable[[], int]
    log: Path
    limit: float | None = None
    slot: Slot | None = None
    started: float = 0.0
    terminated_at: float | None = None
    timed_out: bool = False
    cancel_requested: bool = False


def run(
    server: ForkServer,
    slots: Sequence[Slot],
    *,
    next_job: Callable[[], Job | None],
    on_exit: Callable[[Job, int], Job | None],
    stopping: Callable[[], bool],
    on_tick: Callable[[Sequence[Job]], Any],
) -> None:
    """Run jobs, as many at a time as there are slots.

    Args:
        server: Forks the processes.
        slots: Parts of the machine.
        next_job: Called when a slot is free; None if there is no further job.
        on_exit: Called with each job whose process has exited, and the exit code (128 + n for
            signal n); a job that it returns is started next.
        stopping: Whether to start no more jobs and terminate the running ones.
        on_tick: Called regularly with the running jobs.
    """
    free, retries = list(slots), list[Job]()
    running: dict[int, Job] = {}
    started = 0
    while True:
        while free and not stopping() and (job := retries.pop() if retries else next_job()):
            job.slot, job.started = free.pop(0), time.monotonic()
            server.fork(ForkRequest(started, job.work, job.log, job.slot))
            running[started] = job
            started += 1
        if not running:
            return
        for number, code in server.wait_exits(POLL_SECONDS):
            job = running.pop(number)
            assert job.slot is not None
            free.append(job.slot)
            if retry := on_exit(job, code):
                retries.append(retry)
        for number, job in running.items():
            _enforce_limits(server, number, job, stopping())
        on_tick(list(running.values()))


def _enforce_limits(server: ForkServer, number: int, job: Job, stop: bool) -> None:
    """Terminate a job that shall end: SIGTERM first, SIGKILL after a grace period."""
    now = time.monotonic()
    if job.limit is not None and now - job.started > job.limit:
        job.timed_out = True
    if (stop or job.timed_out or job.cancel_requested) and job.terminated_at is None:
        job.terminated_at = now
        server.signal(number, signal.SIGTERM)
    elif job.terminated_at is not None and now - job.terminated_at > GRACE_SECONDS:
        server.signal(number, signal.SIGKILL)
