"""Members by another of Hydra's launchers (submitit, Ray, joblib): same folder, same ledger.

The launcher runs a `Task` for each member, on whatever machine it likes. How members fare is told
by the ledger, on a disk that all machines see.
"""

import contextlib
import json
import os
import shlex
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from omegaconf import DictConfig, read_write

from zoo.config import groups as configs
from zoo.errors import UserError
from zoo.sweep.options import SweepOptions
from zoo.sweep.progress import Board
from zoo.sweep.store import Ledger
from zoo.sweep.trial_runner import Task
from zoo.sweep.trials import Member

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
    if options.method != "grid" or options.prune or options.max_minutes:
        raise UserError(
            f"hydra/launcher={name} gets all members at once: sweep.method=grid, without "
            f"sweep.prune or sweep.max_minutes; a search runs on one machine"
        )
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
        config.hydra.job.name = folder.parent.name  # in a cluster's queue
    new = [m for m in left if not ledger.busy(m)]  # jobs of an earlier command may be at the others
    task = Task(folder, tuple(m.name for m in new), Path.cwd(), options)
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=hydra_context, task_function=task, config=config
    )
    flags = [o for o in config.hydra.overrides.hydra if "launcher" in configs.key_of(o)]
    with ledger.held():
        board = Board(ledger, how=f"by {chosen(config)}", flags=shlex.join(flags))
        watch = Watch(ledger, board)
        returns, trouble = _launch(launcher, task, left, ledger, watch)
        if isinstance(trouble, Exception) and not options.resume and ledger.untouched():
            ledger.remove()
            raise UserError(f"hydra/launcher={chosen(config)}: {_line(trouble)}") from None
        reasons = {m.name: _line(returned._return_value) for m, returned in zip(new, returns)}
        return _close(ledger, left, watch, reasons, trouble)


def _launch(
    launcher: Any, task: Task, left: list[Member], ledger: Ledger, watch: "Watch"
) -> tuple[list[Any], BaseException | None]:
    """What the launcher gives back for each job, and what ended it early, if anything did."""
    quoted = str(task.folder).replace("\\", "\\\\").replace("'", "\\'")
    jobs = [[f"hydra.sweep.dir='{quoted}'"]] * len(task.names)
    returns: list[Any] = []
    trouble: BaseException | None = None
    try:
        with watch, _environment(), _ended_by_signals():
            try:
                returns = list(launcher.launch(jobs, 0)) if jobs else []
            except Exception as error:  # submitit gives up on all jobs when one is lost
                trouble = error
            while any(ledger.busy(m) for m in left if m.name not in watch.told):
                time.sleep(POLL)
    except KeyboardInterrupt as stop:
        trouble = stop
    except SystemExit:  # Ray's own answer to SIGTERM
        trouble = KeyboardInterrupt(signal.SIGTERM)
    return returns, trouble


def _close(
    ledger: Ledger,
    left: list[Member],
    watch: "Watch",
    reasons: dict[str, str],
    trouble: BaseException | None,
) -> int:
    """Tell what is not told yet; the exit code."""
    board = watch.board
    for member in left:
        if member.name not in watch.told and ledger.done(member):
            board.done(member)
        elif member.name not in watch.told and member.name in reasons:
            board.failed(member, reasons[member.name], again=False)
    board.close(stopped=trouble is not None)
    if trouble:
        print(
            f"\nstopped waiting ({_line(trouble)}); jobs that are with the launcher may still run: "
            f"what they finish counts, and going on does nothing twice"
        )
    if isinstance(trouble, KeyboardInterrupt):
        return 128 + (trouble.args[0] if trouble.args else signal.SIGINT)
    return int(len(board.results) < board.total)


def _line(error: Any) -> str:
    if isinstance(error, KeyboardInterrupt) and error.args:
        return signal.Signals(error.args[0]).name
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """The processes of a launcher find our modules."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(configs.ROOT), *([before] if before else [])])
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
        self.told = set(board.results)
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
        if member is None or member.name in self.told or "ended" not in fact:
            return
        if not fact["reason"]:
            self.board.done(member)
        elif fact.get("stopped"):
            self.board.left(member)
        else:
            self.board.failed(member, fact["reason"], fact.get("again", False))
        if not fact.get("again"):
            self.told.add(member.name)
