"""One attempt at a member, in whatever process: here, forked, or on another machine."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.config import groups as configs
from zoo.config.run import RunConfig
from zoo.errors import UserError, report
from zoo.sweep.fork_server import DIE_WITH_PARENT
from zoo.sweep.options import SweepOptions
from zoo.sweep.pool import GRACE
from zoo.sweep.store import Ledger
from zoo.sweep.trials import Member


def train_member(ledger: Ledger, member: Member, config: RunConfig | None = None) -> int:
    """Begin a member, or go on where it was stopped; the exit code.

    Args:
        ledger: Its sweep.
        member: Which.
        config: Its checked config, if that is at hand.

    Whoever calls holds the member (`Ledger.held`).
    """
    with configs.config_dir(ledger.config_dir):
        return _train_member(ledger, member, config)


def _train_member(ledger: Ledger, member: Member, config: RunConfig | None) -> int:
    from zoo.config.saved import resumed_config
    from zoo.session import train

    if ledger.done(member):  # by a job of an earlier command that was still in a queue
        return 0
    ledger.note(member, began=os.getpid(), host=socket.gethostname())
    overrides = list(member.overrides)
    if run := ledger.clear(member):
        plugins = [o for o in overrides if configs.key_of(o) == "plugins"]  # only typed ones count
        return train(resumed_config(run.path, plugins), overrides, run)
    if config is None:
        from zoo.config.compose import load  # and Hydra with it

        config = load(overrides)
    typed = [*configs.config_dir_flag(), *overrides]
    return train(config, typed, folder=ledger.folder(member))


def hold_and_train(ledger: Ledger, member: Member, config: RunConfig) -> int:
    """The same, by a process that does nothing else; mistakes in one line."""

    def train() -> int:
        with ledger.held(member):
            return train_member(ledger, member, config)

    return report(train)


def reason_of(code: int, log: Path, overdue: float | None = None) -> str:
    """Why a member is not done.

    Args:
        code: It ended with.
        log: What it printed.
        overdue: The minutes that it exceeded, if it did.
    """
    if overdue is not None:
        return f"took longer than sweep.member_minutes={overdue:g}"
    if code > 128:
        with contextlib.suppress(ValueError):
            return f"ended by {signal.Signals(code - 128).name}"
    return last_line(log) or f"exit code {code}"


def last_line(log: Path) -> str:
    """What was said last."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


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


@dataclass(frozen=True)
class Task:
    """What a launcher runs for each member, in a process of its making.

    The member gets an interpreter of its own: somebody is there to tell when it crashes, and no
    member meets what another has left.

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
        from hydra.core.hydra_config import HydraConfig

        ledger, member = find(self.folder, self.names[HydraConfig.get().job.num])
        with ledger.held(member) as held:
            for tries in range(self.options.retries + 1):
                code, reason = self._attempt(ledger, member, held)
                stopped = code > 128 and ledger.result(member).get("status") == "interrupted"
                again = bool(reason) and not stopped and tries < self.options.retries
                ledger.note(member, ended=code, reason=reason, stopped=stopped, again=again)
                if not again:
                    break
        return code

    def _attempt(self, ledger: Ledger, member: Member, held: int) -> tuple[int, str]:
        """The exit code, and what is wrong if anything is."""
        minutes, overdue = self.options.member_minutes, False
        with ledger.log(member).open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "zoo.sweep.trial_runner", str(self.folder), member.name],
                cwd=self.place, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=(held,),
                env=os.environ | {"PYTHONPATH": os.pathsep.join([str(configs.ROOT), *_paths()])},
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


def main(folder: str, name: str) -> int:
    """`python -m zoo.sweep.trial_runner <sweep> <member>`; saves when its parent is gone."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGTERM)
    return report(lambda: train_member(*find(Path(folder), name)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
