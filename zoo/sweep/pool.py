"""Members in processes of their own, forked once everything is imported.

A process that crashes, hangs or is killed ends alone. When the sweep itself dies, its members die
with it, so that none is ever run twice at a time.
"""

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GRACE = 30.0  # seconds from being asked to end to being ended
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl.h
POLL = 0.02  # seconds


@dataclass
class Slot:
    """A share of the machine.

    Attributes:
        threads: Of a member.
        environment: What it sees of the devices.
    """

    threads: int
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Job:
    """One process.

    Attributes:
        work: Its task; the exit code.
        log: Where what it prints goes.
        limit: Seconds that it may take, None for any.
        unwanted: Set to have it ended.
    """

    work: Callable[[], int]
    log: Path
    limit: float | None = None
    slot: Slot | None = None
    pid: int = 0
    started: float = 0.0
    asked: float | None = None
    overdue: bool = False
    unwanted: bool = False


def begin(job: Job, slot: Slot) -> None:
    """Fork."""
    sys.stdout.flush()
    sys.stderr.flush()
    job.slot, job.started = slot, time.monotonic()
    parent = os.getpid()
    job.pid = os.fork()
    if job.pid == 0:
        code = 70
        try:
            _settle(job, slot, parent)
            code = job.work()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    with suppress(OSError):
        os.setpgid(job.pid, job.pid)  # whichever of the two comes first


def _settle(job: Job, slot: Slot, parent: int) -> None:
    """In the child: own group, own log, own share of the machine."""
    with suppress(OSError):
        os.setpgid(0, 0)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(70)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.update(slot.environment, OMP_NUM_THREADS=str(slot.threads))
    import torch

    torch.set_num_threads(slot.threads)


def run(
    following: Callable[[], Job | None],
    slots: Sequence[Slot],
    ended: Callable[[Job, int], Job | None],
    stopping: Callable[[], bool],
    tick: Callable[[Sequence[Job]], Any],
) -> None:
    """Run jobs, as many at a time as there are slots.

    Args:
        following: Asked for the next one when a slot is free; None when there is no other.
        slots: Shares of the machine.
        ended: Told of each process that has ended, with its exit code (128 + n for signal n); what
            it returns runs next.
        stopping: Whether to begin no more, and ask those that run to end.
        tick: Told now and then which are running.
    """
    free, again = list(slots), list[Job]()
    running: list[Job] = []
    try:
        while True:
            while free and not stopping() and (job := again.pop() if again else following()):
                begin(job, free.pop(0))
                running.append(job)
            if not running:
                return
            for job in list(running):
                if (code := _reap(job, stopping())) is None:
                    continue
                running.remove(job)
                assert job.slot is not None
                free.append(job.slot)
                if anew := ended(job, code):
                    again.append(anew)
            tick(running)
            time.sleep(POLL)
    finally:
        for job in running:
            _signal(job, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(job.pid, 0)


def _reap(job: Job, stop: bool) -> int | None:
    """The exit code of a job that has ended; one that is late is asked to, and then made to."""
    pid, status = os.waitpid(job.pid, os.WNOHANG)
    if pid:
        _signal(job, signal.SIGKILL)  # what it has left behind
        code = os.waitstatus_to_exitcode(status)
        return 128 - code if code < 0 else code
    now = time.monotonic()
    if job.limit is not None and now - job.started > job.limit:
        job.overdue = True
    if (stop or job.overdue or job.unwanted) and job.asked is None:
        job.asked = now
        _signal(job, signal.SIGTERM)
    elif job.asked is not None and now - job.asked > GRACE:
        _signal(job, signal.SIGKILL)
    return None


def _signal(job: Job, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(job.pid, number)
