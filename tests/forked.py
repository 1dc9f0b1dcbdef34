"""Processes that may be killed, forked from a server that has imported everything once.

A training process of its own would spend eight seconds on imports; a forked one spends none.
"""

import multiprocessing
import os
import signal
import socket
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATHS = [ROOT, ROOT / "tests"]


def _server():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["warm"])
    return context


def start(log, function, *arguments, **environment):
    """Run `function(*arguments)` in a fresh process that writes to the file `log`."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, PATHS))  # for the server, when it starts
    try:
        process = _server().Process(target=_inside, args=(log, environment, function, arguments))
        process.start()
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before
    return process


def finish(process, seconds=300):
    """The exit code: negative where a signal ended the process."""
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise TimeoutError("the process hung")
    return process.exitcode


def call(log, function, *arguments):
    """Run to the end; the exit code."""
    return finish(start(log, function, *arguments))


def call_ranks(log, function, folder, number=2):
    """Run `function(folder, rank)` in a process for each rank; their exit codes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    ranks = {"WORLD_SIZE": str(number), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        start(log, function, folder, rank, RANK=str(rank), LOCAL_RANK=str(rank), **ranks)
        for rank in range(number)
    ]
    return [finish(process) for process in processes]


def _inside(log, environment, function, arguments):
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 99
    try:
        import warm  # noqa: F401  # where it fails, the server says nothing, and is slow

        code = function(*arguments)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code or 0)
