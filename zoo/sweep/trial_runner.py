"""Trains one trial in the current process, which was forked or started by a launcher."""

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
from zoo.sweep.fork_server import PR_SET_PDEATHSIG
from zoo.sweep.options import SweepOptions
from zoo.sweep.pool import GRACE_SECONDS
from zoo.sweep.store import SweepState
from zoo.sweep.trials import Trial


def train_trial(
    state: SweepState,
    trial: Trial,
    config: RunConfig | None = None,
    first: RunConfig | None = None,
) -> int:
    """Start a trial, or resume it; returns the exit code.

    The caller holds the trial's lock (`SweepState.locked`).

    Args:
        state: The sweep, with its first trial at least.
        trial: The trial to train.
        config: Its checked config, if the caller has it.
        first: That of the first trial, if the caller has it.
    """
    with configs.config_dir(state.config_dir):
        return _train_trial(state, trial, config, first)


def _train_trial(
    state: SweepState, trial: Trial, config: RunConfig | None, first: RunConfig | None
) -> int:
    from zoo.config.saved import resumed_config
    from zoo.session import train

    if state.done(trial):  # by a job of an earlier command that was still queued
        return 0
    state.record(trial, began=os.getpid(), host=socket.gethostname())
    overrides = list(trial.overrides)
    if run := state.prepare_folder(trial):
        plugins = [o for o in overrides if configs.key_of(o) == "plugins"]  # only typed ones count
        return train(resumed_config(run.path, plugins), overrides, run).code
    config, lead = config or _load(trial), state.trials[0]
    if config.trainer.precision == "auto":  # else it decides nothing
        first = first or _load(lead)
    typed = [*configs.config_dir_flag(), *overrides]
    by = (first or config, list(lead.overrides))
    return train(config, typed, folder=state.folder(trial), first=by).code


def _load(trial: Trial) -> RunConfig:
    from zoo.config.compose import load  # and Hydra with it

    return load(list(trial.overrides))


def lock_and_train(state: SweepState, trial: Trial, config: RunConfig, first: RunConfig) -> int:
    """Train a trial in a process of its own; reports mistakes in one line."""

    def train() -> int:
        with state.locked(trial):
            return train_trial(state, trial, config, first)

    return report(train)


def failure_reason(code: int, log: Path, exceeded_minutes: float | None = None) -> str:
    """Why a trial has not finished.

    Args:
        code: Its exit code.
        log: Its output.
        exceeded_minutes: The time limit, if it was exceeded.
    """
    if exceeded_minutes is not None:
        return f"took longer than sweep.trial_minutes={exceeded_minutes:g}"
    if code > 128:
        with contextlib.suppress(ValueError):
            return f"ended by {signal.Signals(code - 128).name}"
    return last_line(log) or f"exit code {code}"


def last_line(log: Path) -> str:
    """The last line of a log that is not empty."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def find(folder: Path, name: str) -> tuple[SweepState, Trial]:
    """A sweep and one of its trials, on any machine.

    Raises:
        UserError: This machine does not see the sweep's folder.
    """
    if not (folder / "sweep.json").exists():
        raise UserError(
            f"{socket.gethostname()} does not see {folder}; set output_dir= to a disk that all "
            f"machines share"
        )
    state = SweepState.open(str(folder))
    return state, next(trial for trial in state.trials if trial.name == name)


@dataclass(frozen=True)
class LauncherJob:
    """The function that a launcher calls once for each trial, in a process that it starts.

    The trial runs in a new interpreter: this process can report a crash, and no trial sees what
    an earlier one has left in memory.

    Attributes:
        folder: The sweep's folder.
        names: Names of the trials, in the order of the launcher's jobs.
        working_dir: Where the trials run.
        options: The sweep's options.
    """

    folder: Path
    names: tuple[str, ...]
    working_dir: Path
    options: SweepOptions

    def __call__(self, _: Any) -> int:
        """Run one trial with its retries; returns the exit code."""
        from hydra.core.hydra_config import HydraConfig

        state, trial = find(self.folder, self.names[HydraConfig.get().job.num])
        with state.locked(trial) as lock:
            for attempt in range(self.options.retries + 1):
                code, reason = self._attempt(state, trial, lock)
                stopped = code > 128 and state.result(trial).get("status") == "interrupted"
                retry = bool(reason) and not stopped and attempt < self.options.retries
                state.record(trial, ended=code, reason=reason, stopped=stopped, again=retry)
                if not retry:
                    break
        return code

    def _attempt(self, state: SweepState, trial: Trial, lock: int) -> tuple[int, str]:
        """The exit code, and why the trial has not finished, if it has not.

        Args:
            lock: File descriptor of the trial's lock, which the child inherits.
        """
        minutes, timed_out = self.options.trial_minutes, False
        with state.log_file(trial).open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "zoo.sweep.trial_runner", str(self.folder), trial.name],
                cwd=self.working_dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=(lock,),
                env=os.environ | {"PYTHONPATH": os.pathsep.join([str(configs.ROOT), *_paths()])},
            )  # fmt: skip
            try:
                child.wait(None if minutes is None else 60 * minutes)
            except subprocess.TimeoutExpired:
                timed_out = True
            finally:  # also after an exception of the launcher, which needs the machine
                _terminate(child)
        code = 128 - child.returncode if child.returncode < 0 else child.returncode
        if state.done(trial):
            return code, ""
        return code, failure_reason(code, state.log_file(trial), minutes if timed_out else None)


def _paths() -> list[str]:
    """Entries of sys.path that do not belong to the Python installation."""
    prefixes = (sys.prefix, sys.base_prefix)
    return [p for p in sys.path if p and not p.startswith(prefixes)]


def _terminate(child: subprocess.Popen[bytes]) -> None:
    """SIGTERM, so that it saves; SIGKILL after a grace period."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def main(folder: str, name: str) -> int:
    """`python -m zoo.sweep.trial_runner <sweep> <trial>`; saves and exits when its parent dies."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    return report(lambda: train_trial(*find(Path(folder), name)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
