"""The process that members are forked from.

It begins with the command and imports what members need, on a core of its own, while the command
line is still being read; from then on it forks, and tells who has ended. It computes nothing: a
process that has used torch's threads cannot be forked.
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

from zoo.errors import TrainingFailed
from zoo.importing import gc_paused

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl.h
LOST = 70  # exit code of a member that could not begin, or raised what nobody expects
MODULES = (
    "zoo.sweep.trial_runner",
    "zoo.session",
    "torch.utils.tensorboard",
    "tensorboard.plugins.hparams.metadata",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
)


@dataclass
class Slot:
    """A share of the machine.

    Attributes:
        threads: Of a member.
        environment: What it sees of the devices.
    """

    threads: int
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """A member to fork.

    Attributes:
        number: Under which its end is told.
        work: Its task, to be pickled; the exit code.
        log: Where what it prints goes.
        slot: Its share of the machine.
    """

    number: int
    work: Callable[[], int]
    log: Path
    slot: Slot


class Nursery:
    """A line to that process.

    Args:
        pid: Of the process.
        line: Orders go out, ends come in.
    """

    def __init__(self, pid: int, line: "Connection[Any, Any]") -> None:
        self.pid, self._line = pid, line
        self._machine: tuple[int, int] | None = None
        self._members: set[int] = set()

    @classmethod
    def begin(cls) -> "Nursery":
        """Fork it; before torch is imported, which it does by itself."""
        sys.stdout.flush()
        sys.stderr.flush()
        here, there = Pipe()
        parent = os.getpid()
        if pid := os.fork():
            there.close()
            return cls(pid, here)
        here.close()
        try:
            die_with(parent)
            _serve(there)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(LOST)

    def machine(self) -> tuple[int, int]:
        """How many GPUs there are, and how many threads torch takes; waits until all is imported.

        Raises:
            TrainingFailed: It came to nothing.
        """
        if self._machine is None:
            self._machine = self._receive()
        return self._machine

    def fork(self, order: Order) -> None:
        """Begin a member."""
        self.machine()
        self._members.add(order.number)
        self._send(order)

    def signal(self, member: int, number: signal.Signals) -> None:
        """To a member and all that it has begun, if it has not ended."""
        self._send((member, number))

    def ended(self, seconds: float) -> list[tuple[int, int]]:
        """Who has ended, with which exit code (128 + n for signal n); waits for the first so long.

        Raises:
            TrainingFailed: The process is gone, and the members with it.
        """
        found: list[tuple[int, int]] = []
        while self._line.poll(0 if found else seconds):
            found.append(self._receive())
            self._members.discard(found[-1][0])
        return found

    def end(self) -> None:
        """End it, and members that are at work."""
        self._line.close()
        if not self._members:  # it may be importing, and would not look
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _send(self, what: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # `ended` will say so
            self._line.send(what)

    def _receive(self) -> Any:
        try:
            return self._line.recv()
        except (EOFError, ConnectionError):
            raise TrainingFailed("the process that members are forked from has ended") from None


def begin(arguments: list[str]) -> Nursery | None:
    """One for a command line that asks for a sweep of ours."""
    another = any(re.match(r"hydra[./](launcher|sweeper)\b", a) for a in arguments)
    if another or not {"-m", "--multirun"} & set(arguments) or not hasattr(os, "fork"):
        return None
    return Nursery.begin()


def die_with(parent: int) -> None:
    """Be killed when the process that forked this one ends."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):  # Linux only
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(LOST)


def preload() -> None:
    """Import and read what members would, each for itself."""
    with gc_paused():
        for name in MODULES:
            importlib.import_module(name)
        from PIL import Image

        from zoo.registry import ADAPTERS, DATASETS, MODELS, OPTIMIZERS, SCHEDULES, TASKS
        from zoo.training.finish import commit

        for registry in (ADAPTERS, DATASETS, MODELS, OPTIMIZERS, SCHEDULES, TASKS):
            registry.names()
        Image.init()
        commit()


def _serve(line: "Connection[Any, Any]") -> None:
    """Fork and tell, until the other end is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the controller says what to do then
        signal.signal(number, signal.SIG_IGN)
    preload()
    import torch

    line.send((torch.cuda.device_count(), torch.get_num_threads()))
    number_of: dict[int, int] = {}  # of a member, by its process
    woken, wake = os.pipe()  # by the end of a child
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        while True:
            ready = wait([line, woken])
            if woken in ready:
                os.read(woken, 4096)
            if line in ready:
                _obey(line, number_of)
            _tell(line, number_of)
    except (EOFError, ConnectionError):
        for pid in number_of:
            _signal(pid, signal.SIGKILL)
        for pid in number_of:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _obey(line: "Connection[Any, Any]", number_of: dict[int, int]) -> None:
    order = line.recv()
    if isinstance(order, Order):
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:  # too many processes, or no memory
            with order.log.open("a") as log:  # behind what an earlier attempt said
                log.write(f"cannot be forked: {error.strerror}\n")
            line.send((order.number, LOST))
            return
        if pid == 0:
            line.close()
            _become(order, parent)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # whichever of the two comes first
        number_of[pid] = order.number
    else:
        member, number = order
        for pid in (pid for pid, one in number_of.items() if one == member):
            _signal(pid, number)


def _tell(line: "Connection[Any, Any]", number_of: dict[int, int]) -> None:
    """Say who has ended."""
    while number_of:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        if pid in number_of:
            _signal(pid, signal.SIGKILL)  # what it has left behind
            code = os.waitstatus_to_exitcode(status)
            line.send((number_of.pop(pid), 128 - code if code < 0 else code))


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _become(order: Order, parent: int) -> None:
    """In the child: work, and end."""
    code = LOST
    try:
        _settle(order, parent)
        code = order.work()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _settle(order: Order, parent: int) -> None:
    """Own group, own log, own share of the machine."""
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    die_with(parent)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.update(order.slot.environment, OMP_NUM_THREADS=str(order.slot.threads))
    import torch

    torch.set_num_threads(order.slot.threads)
