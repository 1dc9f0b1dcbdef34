"""One process for each device of this machine, as torchrun would start them.

No rank outlives the others or the process that started it: each waits in collective operations for
the others, and would for ever.
"""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from zoo.training.signals import numbers

END_SECONDS = 10.0  # for the other ranks to end by themselves when one has failed
SAVE_SECONDS = 120.0  # to save and end after SIGTERM
POLL_SECONDS = 1.0


def launched() -> bool:
    """Whether this process is a rank already (torchrun's or ours)."""
    return "RANK" in os.environ


def launch(work: Callable[..., int], ranks: int, *arguments: Any) -> int:
    """Run `work(*arguments)` in `ranks` processes; the exit code of the first rank that failed.

    A signal to this process reaches every rank. When a rank dies, the others, which would wait
    for it for ever, are ended.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    context = multiprocessing.get_context("spawn")
    environments = [
        {
            "RANK": str(r),
            "LOCAL_RANK": str(r),
            "WORLD_SIZE": str(ranks),
            "LOCAL_WORLD_SIZE": str(ranks),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        for r in range(ranks)
    ]
    processes = [
        context.Process(target=_rank, args=(work, added, arguments)) for added in environments
    ]
    with _forwarded_signals(processes):
        for process in processes:
            process.start()
        return _wait(processes)


@contextlib.contextmanager
def _forwarded_signals(processes: list[Any]) -> Iterator[None]:
    """Pass signals on to the processes inside; they end, and this process after them."""

    def forward(number: int, frame: FrameType | None) -> None:
        for process in processes:
            if process.pid and process.is_alive():
                os.kill(process.pid, number)

    handlers = {number: signal.signal(number, forward) for number in numbers()}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _wait(processes: list[Any]) -> int:
    """Wait for all; once one has failed, end the others: SIGTERM first, then SIGKILL.

    Ranks that a signal has stopped have agreed to end: rank 0 may write its checkpoint in peace.
    """
    waiting, deadline = list(processes), float("inf")
    endings = ["terminate", "kill"]
    while waiting:
        left = None if deadline == float("inf") else max(0.0, deadline - time.monotonic())
        ended = multiprocessing.connection.wait([p.sentinel for p in waiting], left)
        for process in [p for p in waiting if p.sentinel in ended]:
            process.join()
            waiting.remove(process)
            failed = process.exitcode and process.exitcode < 128
            if failed and deadline == float("inf"):
                deadline = time.monotonic() + END_SECONDS
                _report_killed(processes.index(process), process.exitcode)
        if waiting and time.monotonic() >= deadline and endings:
            ending, deadline = endings.pop(0), time.monotonic() + SAVE_SECONDS
            for process in waiting:
                getattr(process, ending)()
    codes = [p.exitcode if p.exitcode >= 0 else 128 - p.exitcode for p in processes]
    return next((code for code in codes if code), 0)


def _report_killed(rank: int, code: int) -> None:
    """Say what ended a rank that could not say it itself."""
    if code in (-signal.SIGSEGV, -getattr(signal, "SIGKILL", 9), -signal.SIGABRT):
        name = signal.Signals(-code).name
        hint = "; is the machine out of memory?" if name == "SIGKILL" else ""
        print(f"failed: {name} ended rank {rank}{hint}", file=sys.stderr, flush=True)


def _rank(work: Callable[..., int], added: dict[str, str], arguments: tuple[Any, ...]) -> None:
    os.environ.update(added)
    end_with_launcher()
    sys.exit(work(*arguments))


def end_with_launcher() -> None:
    """Have this rank save and end when the process that started it has ended, whatever ended it."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent_id: int) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
    else:  # torchrun's
        while os.getppid() == parent_id:
            time.sleep(POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SAVE_SECONDS)
    os._exit(128 + signal.SIGTERM)
