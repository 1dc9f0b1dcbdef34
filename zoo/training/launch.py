"""One process for each device of this machine, as torchrun would start them."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def launched() -> bool:
    """Whether this process is a rank already (torchrun's or ours)."""
    return "RANK" in os.environ


def launch(work: Callable[..., int], ranks: int, *arguments: Any) -> int:
    """Run `work(*arguments)` in `ranks` processes; the largest exit code.

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
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        for r in range(ranks)
    ]
    processes = [
        context.Process(target=_rank, args=(work, added, arguments)) for added in environments
    ]
    for process in processes:
        process.start()

    def forward(number: int, frame: FrameType | None) -> None:
        for process in processes:
            if process.pid and process.is_alive():
                os.kill(process.pid, number)

    handlers = {n: signal.signal(n, forward) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        return _wait(processes)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _wait(processes: list[Any]) -> int:
    waiting = list(processes)
    while waiting:
        ended = multiprocessing.connection.wait([p.sentinel for p in waiting])
        for process in [p for p in waiting if p.sentinel in ended]:
            process.join()
            waiting.remove(process)
            if process.exitcode:
                for other in waiting:
                    other.join(timeout=10)
                    other.terminate()
    codes = [p.exitcode if p.exitcode >= 0 else 128 - p.exitcode for p in processes]
    return next((code for code in codes if code), 0)


def _rank(work: Callable[..., int], added: dict[str, str], arguments: tuple[Any, ...]) -> None:
    os.environ.update(added)
    sys.exit(work(*arguments))
