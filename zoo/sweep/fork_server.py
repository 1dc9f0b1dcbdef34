"""The process that trials are forked from (`multiprocessing` calls it a fork server).

It starts with the command, and imports what trials need on another core while the command line is
parsed. Then it forks trials on request, and reports their exit codes. It computes nothing itself: a
process that has used torch's threads cannot be forked safely.
"""

import contextlib
import importlib
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

from zoo.errors import TrainingFailed, UserError
from zoo.importing import gc_paused

PR_SET_PDEATHSIG = 1  # of prctl.h
EXIT_CRASHED = 70  # exit code of a trial that could not start, or raised an unexpected exception
PRELOADED = (
    "zoo.sweep.trial_runner",
    "zoo.session",
    "torch.utils.tensorboard",
    "tensorboard.plugins.hparams.metadata",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
)


@dataclass
class Slot:
    """The part of the machine that one trial uses.

    Attributes:
        threads: Number of torch threads.
        environment: Environment variables that select the devices.
    """

    threads: int
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ForkRequest:
    """A trial to fork.

    Attributes:
        number: Identifies the trial when its exit is reported.
        work: The function to run, pickled; returns the exit code.
        log: File for the trial's output.
        slot: The part of the machine to use.
    """

    number: int
    work: Callable[[], int]
    log: Path
    slot: Slot


class ForkServer:
    """The client's end of the fork server.

    Args:
        pid: The server's process ID.
        connection: Sends requests, receives exits.
    """

    def __init__(self, pid: int, connection: "Connection[Any, Any]") -> None:
        self.pid, self._connection = pid, connection
        self._machine: tuple[int, int] | None = None
        self._running: set[int] = set()

    @classmethod
    def start(cls) -> "ForkServer":
        """Fork the server. Call it before torch is imported; the server imports torch itself."""
        sys.stdout.flush()
        sys.stderr.flush()
        client_end, server_end = Pipe()
        parent = os.getpid()
        if pid := os.fork():
            server_end.close()
            return cls(pid, client_end)
        client_end.close()
        try:
            die_with(parent)
            _serve(server_end)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(EXIT_CRASHED)

    def machine(self) -> tuple[int, int]:
        """The number of GPUs, and of threads that torch uses; waits for the server's imports.

        Raises:
            TrainingFailed: The server has died.
            UserError: A mistake that the imports met.
        """
        if self._machine is None:
            message = self._receive()
            if isinstance(message, UserError):
                raise message
            self._machine = message
        return self._machine

    def fork(self, request: ForkRequest) -> None:
        """Start a trial."""
        self.machine()
        self._running.add(request.number)
        self._send(request)

    def signal(self, number: int, signum: signal.Signals) -> None:
        """Send a signal to the process group of a trial, unless it has exited."""
        self._send((number, signum))

    def wait_exits(self, timeout: float) -> list[tuple[int, int]]:
        """(number, exit code) of the trials that have exited; signal n gives the code 128 + n.

        Args:
            timeout: Seconds to wait for the first one.

        Raises:
            TrainingFailed: The server has died, and the trials with it.
        """
        exits: list[tuple[int, int]] = []
        while self._connection.poll(0 if exits else timeout):
            exits.append(self._receive())
            self._running.discard(exits[-1][0])
        return exits

    def close(self) -> None:
        """Stop the server and all running trials."""
        self._connection.close()
        if not self._running:  # it may still be importing, and not listen
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _send(self, message: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # `wait_exits` reports it
            self._connection.send(message)

    def _receive(self) -> Any:
        try:
            return self._connection.recv()
        except (EOFError, ConnectionError):
            raise TrainingFailed("the process that trials are forked from has died") from None


def start_for_sweep(arguments: list[str]) -> ForkServer | None:
    """Start a fork server if the command line is a sweep that zoo/sweep runs."""
    other_runner = any(re.match(r"hydra[./](launcher|sweeper)\b", a) for a in arguments)
    if other_runner or not {"-m", "--multirun"} & set(arguments) or not hasattr(os, "fork"):
        return None
    return ForkServer.start()


def die_with(parent: int) -> None:
    """Have this process killed when the process that forked it ends."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):  # Linux only
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(EXIT_CRASHED)


def preload() -> None:
    """Import modules and fill caches once, instead of in every trial."""
    with gc_paused():
        for name in PRELOADED:
            importlib.import_module(name)
        from PIL import Image

        from zoo.registry import ADAPTERS, DATASETS, MODELS, OPTIMIZERS, SCHEDULES, TASKS
        from zoo.training.finish import commit

        for registry in (ADAPTERS, DATASETS, MODELS, OPTIMIZERS, SCHEDULES, TASKS):
            registry.names()
        Image.init()
        commit()


def _serve(connection: "Connection[Any, Any]") -> None:
    """Fork and report until the client closes the connection."""
    for signum in (signal.SIGINT, signal.SIGTERM):  # the client decides what to do about them
        signal.signal(signum, signal.SIG_IGN)
    try:
        preload()
    except UserError as error:  # such as a wrong value of ZOO_KERNELS
        connection.send(error)
        return
    import torch

    connection.send((torch.cuda.device_count(), torch.get_num_threads()))
    number_of: dict[int, int] = {}  # process ID to request number
    wakeup_read, wakeup_write = os.pipe()  # readable when a child exits
    for descriptor in (wakeup_read, wakeup_write):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(wakeup_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        while True:
            ready = wait([connection, wakeup_read])
            if wakeup_read in ready:
                os.read(wakeup_read, 4096)
            if connection in ready:
                _handle_request(connection, number_of)
            _report_exits(connection, number_of)
    except (EOFError, ConnectionError):
        for pid in number_of:
            _signal_group(pid, signal.SIGKILL)
        for pid in number_of:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _handle_request(connection: "Connection[Any, Any]", number_of: dict[int, int]) -> None:
    """Fork a trial, or send it a signal."""
    request = connection.recv()
    if not isinstance(request, ForkRequest):
        number, signum = request
        for pid in (pid for pid, running in number_of.items() if running == number):
            _signal_group(pid, signum)
        return
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:  # too many processes, or no memory
        with request.log.open("a") as log:  # after the output of an earlier attempt
            log.write(f"cannot be forked: {error.strerror}\n")
        connection.send((request.number, EXIT_CRASHED))
        return
    if pid == 0:
        connection.close()
        _run_child(request, parent)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)  # parent and child both do, so that it is done whoever comes first
    number_of[pid] = request.number


def _report_exits(connection: "Connection[Any, Any]", number_of: dict[int, int]) -> None:
    """Send the exit codes of trials that have exited."""
    while number_of:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        if pid in number_of:
            _signal_group(pid, signal.SIGKILL)  # subprocesses that it left running
            code = os.waitstatus_to_exitcode(status)
            connection.send((number_of.pop(pid), 128 - code if code < 0 else code))


def _signal_group(pid: int, signum: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signum)


def _run_child(request: ForkRequest, parent: int) -> None:
    """In the child: run the trial and exit."""
    code = EXIT_CRASHED
    try:
        _setup_child(request, parent)
        code = request.work()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _setup_child(request: ForkRequest, parent: int) -> None:
    """Give the child its own process group, signal handlers, log, threads and devices."""
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    die_with(parent)
    signal.set_wakeup_fd(-1)
    for signum in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    devnull = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((devnull, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.update(request.slot.environment, OMP_NUM_THREADS=str(request.slot.threads))
    import torch

    torch.set_num_threads(request.slot.threads)
