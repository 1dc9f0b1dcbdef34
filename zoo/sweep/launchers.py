"""Members by another of Hydra's launchers (submitit, Ray, joblib): same folder, same ledger.

The launcher runs a `Task` for each member, on whatever machine it likes. That one starts the member
in an interpreter of its own, so that it is there to tell when the member crashes, and no member
meets what another has left. What members do is told by the ledger, on a disk that all machines see.
"""

import contextlib
import ctypes
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, read_write

from zoo import config as configs
from zoo.errors import UserError
from zoo.sweep.board import Board
from zoo.sweep.ledger import Ledger
from zoo.sweep.members import Member
from zoo.sweep.options import SweepOptions
from zoo.sweep.pool import DIE_WITH_PARENT, GRACE

ROOT = configs.CONFIG_DIR.parent
POLL = 0.5  # seconds between looks at what members have told


def chosen(config: DictConfig) -> str | None:
    """The launcher that the command line names; None for our own processes."""
    name = config.hydra.runtime.choices["hydra/launcher"]
    return None if name == "basic" else name


def check(config: DictConfig, options: SweepOptions) -> None:
    """What cannot be had from a launcher.

    Raises:
        UserError: Options for our own processes; several tasks for one member.
    """
    name = chosen(config)
    if options.slots != "auto":
        raise UserError(
            f"sweep.slots={options.slots} shares out this machine; leave it out, hydra/launcher="
            f"{name} has limits of its own (hydra.launcher.*)"
        )
    if options.on_failure == "stop":
        raise UserError(
            f"sweep.on_failure=stop: hydra/launcher={name} has got all members by then; expected "
            f"continue"
        )
    for key in ("nodes", "tasks_per_node"):
        if (number := config.hydra.launcher.get(key) or 1) > 1:
            raise UserError(
                f"hydra.launcher.{key}={number}: each task would train the whole member; expected "
                f"1 (several GPUs for a member: trainer.devices=; several machines: torchrun)"
            )


def run(
    ledger: Ledger,
    left: list[Member],
    options: SweepOptions,
    hydra_context: Any,
    config: DictConfig,
) -> int:
    """Hand members to the launcher and wait for them; the exit code.

    Args:
        ledger: Of the whole sweep.
        left: Those that are not done.
        options: How to run them.
        hydra_context, config: Hydra's.

    Raises:
        UserError: The launcher does not begin.
    """
    if not left:
        Board(ledger, how="none left").close(stopped=False)
        return 0
    folder = ledger.path.resolve()
    with read_write(config):
        config.hydra.sweep.dir = str(folder)  # where launchers keep what is theirs
    task = Task(folder, tuple(m.name for m in left), Path.cwd(), options)
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=hydra_context, task_function=task, config=config
    )
    flags = [o for o in config.hydra.overrides.hydra if o.startswith(("hydra/", "hydra.launcher"))]
    quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    jobs = [[f"hydra.sweep.dir='{quoted}'"]] * len(left)
    with ledger.held():
        board = Board(ledger, how=f"by {chosen(config)}", flags=shlex.join(flags))
        watch = Watch(ledger, board)
        trouble: BaseException | None = None
        returns: list[Any] = []
        try:
            with watch, _environment(), _ended_by_signals():
                returns = list(launcher.launch(jobs, 0))
        except (Exception, KeyboardInterrupt) as error:
            trouble = error
        began = (folder / "attempts.jsonl").exists()
        if trouble and not began and not options.resume:
            ledger.remove()
            raise UserError(f"hydra/launcher={chosen(config)}: {_line(trouble)}") from None
        return _close(ledger, left, board, watch, returns, trouble)


def _close(
    ledger: Ledger,
    left: list[Member],
    board: Board,
    watch: "Watch",
    returns: list[Any],
    trouble: BaseException | None,
) -> int:
    """Tell what is not told yet; the exit code."""
    for member, returned in zip(left, returns):
        if member.name not in watch.told and ledger.done(member):
            board.done(member)
        elif member.name not in watch.told:
            board.failed(member, _line(returned._return_value), again=False)
    board.close(stopped=trouble is not None)
    if trouble:
        print(
            f"\nthe launcher ended ({_line(trouble)}); jobs that it has begun may go on, and what "
            f"they finish counts: going on does nothing twice"
        )
    if isinstance(trouble, KeyboardInterrupt):
        return 128 + (trouble.args[0] if trouble.args else signal.SIGINT)
    return int(not all(ledger.done(member) for member in left))


def _line(error: Any) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """The processes of a launcher find our modules."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *([before] if before else [])])
    try:
        yield
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends the waiting as Ctrl-C does."""

    def end(number: int, frame: Any) -> None:
        raise KeyboardInterrupt(number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Watch:
    """Tells of members as they end, while the launcher is waited for.

    Args:
        ledger: Where members write it down.
        board: Who prints it.
    """

    def __init__(self, ledger: Ledger, board: Board) -> None:
        self.file, self.board = ledger.path / "attempts.jsonl", board
        self.member_of = {m.name: m for m in ledger.members}
        self.told: set[str] = set()
        self._read = self.file.stat().st_size if self.file.exists() else 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        over = False
        while not over:
            over = self._over.wait(POLL)  # and a last look
            with contextlib.suppress(OSError):
                self._look()

    def _look(self) -> None:
        with self.file.open("rb") as file:
            file.seek(self._read)
            lines = file.read().split(b"\n")
        self._read += sum(len(line) + 1 for line in lines[:-1])  # the last is not written out yet
        for line in lines[:-1]:
            with contextlib.suppress(ValueError):  # two machines have written at the same moment
                self._tell(json.loads(line))

    def _tell(self, fact: dict[str, Any]) -> None:
        member = self.member_of.get(fact["member"])
        if member is None or "ended" not in fact:
            return
        if not fact["reason"]:
            self.board.done(member)
        elif fact.get("stopped"):
            self.board.left(member)
        else:
            self.board.failed(member, fact["reason"], fact.get("again", False))
        if not fact.get("again"):
            self.told.add(member.name)


@dataclass(frozen=True)
class Task:
    """What the launcher runs for each member, in a process of its making.

    Attributes:
        folder: The sweep's.
        names: Of the members, in the order of the launcher's jobs.
        place: The working directory.
        options: The sweep's.
    """

    folder: Path
    names: tuple[str, ...]
    place: Path
    options: SweepOptions

    def __call__(self, _: Any) -> int:
        """One member; its exit code."""
        ledger, member = find(self.folder, self.names[HydraConfig.get().job.num])
        for tries in range(self.options.retries + 1):
            code, reason = self._attempt(ledger, member)
            stopped = code > 128 and ledger.result(member).get("status") == "interrupted"
            again = bool(reason) and not stopped and tries < self.options.retries
            ledger.note(member, ended=code, reason=reason, stopped=stopped, again=again)
            if not again:
                break
        return code

    def _attempt(self, ledger: Ledger, member: Member) -> tuple[int, str]:
        """The exit code, and what is wrong if anything is."""
        from zoo.sweep.plugin import reason_of

        minutes, overdue = self.options.member_minutes, False
        with ledger.log(member).open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "zoo.sweep.launchers", str(self.folder), member.name],
                cwd=self.place, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *_paths()])},
            )  # fmt: skip
            try:
                child.wait(None if minutes is None else 60 * minutes)
            except subprocess.TimeoutExpired:
                overdue = True
            finally:  # or an exception of the launcher's, whose machine is wanted by others
                _stop(child)
        code = 128 - child.returncode if child.returncode < 0 else child.returncode
        if ledger.done(member):
            return code, ""
        return code, reason_of(code, ledger.log(member), minutes if overdue else None)


def _paths() -> list[str]:
    """Where this process finds modules that do not belong to its Python."""
    own = (sys.prefix, sys.base_prefix)
    return [p for p in sys.path if p and not p.startswith(own)]


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Ask it to save and end; make it end."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def find(folder: Path, name: str) -> tuple[Ledger, Member]:
    """A sweep and one of its members, on whatever machine this is.

    Raises:
        UserError: This machine does not see the sweep's folder.
    """
    if not (folder / "sweep.json").exists():
        raise UserError(
            f"{socket.gethostname()} does not see {folder}; set output_dir= to a disk that all "
            f"machines share"
        )
    ledger = Ledger.open(str(folder))
    return ledger, next(member for member in ledger.members if member.name == name)


def main(folder: str, name: str) -> int:
    """Train one member, here and now; the exit code."""
    from zoo.cli import report

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGTERM)
    return report(lambda: _train(*find(Path(folder), name)))


def _train(ledger: Ledger, member: Member) -> int:
    from zoo.run_config import load_run
    from zoo.session import train

    with ledger.held(member):
        if ledger.done(member):  # by a job of an earlier command that was still in the queue
            return 0
        ledger.note(member, began=os.getpid(), host=socket.gethostname())
        overrides = list(member.overrides)
        if run := ledger.clear(member):
            return train(load_run(run.path, []), overrides, run)
        return train(configs.load(overrides), overrides, place=ledger.folder(member))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
