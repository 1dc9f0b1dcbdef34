"""Sweeps by another of Hydra's launchers (submitit, Ray, joblib), with the same folder on disk.

The launcher runs a `LauncherJob` for each trial, on whatever machine it likes. How the trials end
is read from the sweep's folder, on a disk that all machines share.
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
from zoo.sweep.progress import SweepProgress
from zoo.sweep.store import SweepState
from zoo.sweep.trial_runner import LauncherJob
from zoo.sweep.trials import Trial

POLL_SECONDS = 0.5  # between reads of attempts.jsonl


def chosen(config: DictConfig) -> str | None:
    """The launcher that the command line names; None for zoo's own processes."""
    name = config.hydra.runtime.choices["hydra/launcher"]
    return None if name == "basic" else name


def check(config: DictConfig, options: SweepOptions) -> None:
    """Refuse what a launcher cannot do.

    Raises:
        UserError: Options for zoo's own processes; several tasks for one trial.
    """
    name = chosen(config)
    if options.method != "grid" or options.prune or options.max_minutes:
        raise UserError(
            f"hydra/launcher={name} gets all trials at once: sweep.method=grid, without "
            f"sweep.prune or sweep.max_minutes; a search runs on one machine"
        )
    if options.slots != "auto":
        raise UserError(
            f"sweep.slots={options.slots} shares out this machine; leave it out, hydra/launcher="
            f"{name} has limits of its own (hydra.launcher.*)"
        )
    if options.on_failure == "stop":
        raise UserError(
            f"sweep.on_failure=stop: hydra/launcher={name} has got all trials by then; expected "
            f"continue"
        )
    for key in ("nodes", "tasks_per_node"):
        if (number := config.hydra.launcher.get(key) or 1) > 1:
            raise UserError(
                f"hydra.launcher.{key}={number}: each task would train the whole trial; expected "
                f"1 (several GPUs for a trial: trainer.devices=; several machines: torchrun)"
            )


def run(
    state: SweepState,
    unfinished: list[Trial],
    options: SweepOptions,
    hydra_context: Any,
    config: DictConfig,
) -> int:
    """Hand trials to the launcher and wait for them; returns the exit code.

    Args:
        state: The whole sweep.
        unfinished: Those of its trials that have not finished.
        options: How to run them.
        hydra_context, config: Hydra's.

    Raises:
        UserError: The launcher does not start.
    """
    if not unfinished:
        SweepProgress(state, runner="none left").close(stopped=False)
        return 0
    folder = state.path.resolve()
    with read_write(config):
        config.hydra.sweep.dir = str(folder)  # where launchers keep their own files
        config.hydra.job.name = folder.parent.name  # shown in a cluster's queue
    # jobs of an earlier command may still run the others
    new = [trial for trial in unfinished if not state.is_locked(trial)]
    job = LauncherJob(folder, tuple(trial.name for trial in new), Path.cwd(), options)
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=hydra_context, task_function=job, config=config
    )
    flags = [o for o in config.hydra.overrides.hydra if "launcher" in configs.key_of(o)]
    with state.locked():
        progress = SweepProgress(state, f"by {chosen(config)}", flags=shlex.join(flags))
        watcher = Watcher(state, progress)
        returns, error = _launch(launcher, job, unfinished, state, watcher)
        if isinstance(error, Exception) and not options.resume and state.is_empty():
            state.remove()
            raise UserError(f"hydra/launcher={chosen(config)}: {_first_line(error)}") from None
        reasons = {
            trial.name: _first_line(returned._return_value)
            for trial, returned in zip(new, returns, strict=False)  # after an error there are fewer
        }
        return _close(state, unfinished, watcher, reasons, error)


def _launch(
    launcher: Any, job: LauncherJob, unfinished: list[Trial], state: SweepState, watcher: "Watcher"
) -> tuple[list[Any], BaseException | None]:
    """The launcher's result for each job, and the exception that ended it early, if any."""
    quoted = str(job.folder).replace("\\", "\\\\").replace("'", "\\'")
    overrides = [[f"hydra.sweep.dir='{quoted}'"]] * len(job.names)
    returns: list[Any] = []
    ended_by: BaseException | None = None
    try:
        with watcher, _python_path(), _sigterm_as_interrupt():
            try:
                returns = list(launcher.launch(overrides, 0)) if overrides else []
            except Exception as error:  # submitit gives up on all jobs when one is lost
                ended_by = error
            while any(state.is_locked(t) for t in unfinished if t.name not in watcher.reported):
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt as interrupt:
        ended_by = interrupt
    except SystemExit:  # Ray's own answer to SIGTERM
        ended_by = KeyboardInterrupt(signal.SIGTERM)
    return returns, ended_by


def _close(
    state: SweepState,
    unfinished: list[Trial],
    watcher: "Watcher",
    reasons: dict[str, str],
    error: BaseException | None,
) -> int:
    """Report the trials that the watcher has not; returns the exit code."""
    progress = watcher.progress
    for trial in unfinished:
        if trial.name not in watcher.reported and state.done(trial):
            progress.done(trial)
        elif trial.name not in watcher.reported and trial.name in reasons:
            progress.failed(trial, reasons[trial.name], retry=False)
    progress.close(stopped=error is not None)
    if error:
        print(
            f"\nstopped waiting ({_first_line(error)}); jobs that are with the launcher may still "
            f"run: what they finish counts, and resuming runs nothing twice"
        )
    if isinstance(error, KeyboardInterrupt):
        return 128 + (error.args[0] if error.args else signal.SIGINT)
    return int(len(progress.results) < progress.total)


def _first_line(error: Any) -> str:
    if isinstance(error, KeyboardInterrupt) and error.args:
        return signal.Signals(error.args[0]).name
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@contextlib.contextmanager
def _python_path() -> Iterator[None]:
    """Let the processes of a launcher find zoo's modules."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(configs.ROOT), *([before] if before else [])])
    try:
        yield
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM ends the waiting as Ctrl-C does."""

    def interrupt(signum: int, frame: Any) -> None:
        raise KeyboardInterrupt(signum)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Watcher:
    """Reports trials as they end, from a thread, while the main thread waits for the launcher.

    Args:
        state: Where the trials record how they ended.
        progress: Prints it.
    """

    def __init__(self, state: SweepState, progress: SweepProgress) -> None:
        self.file, self.progress = state.path / "attempts.jsonl", progress
        self.trial_of = {trial.name: trial for trial in state.trials}
        self.reported = set(progress.results)
        self._offset = self.file.stat().st_size if self.file.exists() else 0
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._finished.set()
        self._thread.join()

    def _watch(self) -> None:
        finished = False
        while not finished:
            finished = self._finished.wait(POLL_SECONDS)  # then it reads one last time
            with contextlib.suppress(OSError):
                self._read()

    def _read(self) -> None:
        with self.file.open("rb") as file:
            file.seek(self._offset)
            lines = file.read().split(b"\n")
        complete = lines[:-1]  # the last line may be half written
        self._offset += sum(len(line) + 1 for line in complete)
        for line in complete:
            with contextlib.suppress(ValueError):  # two machines wrote at the same moment
                self._report(json.loads(line))

    def _report(self, attempt: dict[str, Any]) -> None:
        trial = self.trial_of.get(attempt["member"])
        if trial is None or trial.name in self.reported or "ended" not in attempt:
            return
        if not attempt["reason"]:
            self.progress.done(trial)
        elif attempt.get("stopped"):
            self.progress.stopped(trial)
        else:
            self.progress.failed(trial, attempt["reason"], attempt.get("again", False))
        if not attempt.get("again"):
            self.reported.add(trial.name)
