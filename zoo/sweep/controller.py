"""Runs the trials of a sweep on this machine: start, monitor, prune, retry, report."""

import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from zoo.config import compose
from zoo.config.run import RunConfig
from zoo.runs import hparams
from zoo.sweep import pool
from zoo.sweep.fork_server import ForkServer, Slot
from zoo.sweep.options import SweepOptions
from zoo.sweep.progress import SweepProgress
from zoo.sweep.prune import Curve, prune_reason
from zoo.sweep.store import SweepState
from zoo.sweep.trial_runner import failure_reason, lock_and_train
from zoo.sweep.trials import Trial

MONITOR_SECONDS = 0.2  # between reads of the running trials' metrics


class Suggests(Protocol):
    """What names further trials: a search, or a comparison that needs more seeds."""

    @property
    def plan(self) -> Any:
        """Its settings; `trials` is the most that it may have."""

    def ask(self, trials: Sequence[Trial]) -> Trial | None:
        """The next trial; None if there is no more."""

    def tell(self, trial: Trial, score: float | None, curve: Curve, pruned: bool) -> None:
        """How a trial ended; see Search.tell."""

    def forget(self, trials: Sequence[Trial]) -> None:
        """Discard what was suggested and is not among the trials."""


class Sweep:
    """A sweep that runs on this machine.

    Args:
        state: The trials and their results.
        settings: The checked configs of the unfinished trials, by name.
        options: Limits, retries, pruning.
        server: Forks the trials.
        slots: Parts of the machine, one for each trial that runs at a time.
        search: Suggests further trials; None for a grid.
    """

    def __init__(
        self,
        state: SweepState,
        settings: dict[str, RunConfig],
        options: SweepOptions,
        server: ForkServer,
        slots: list[Slot],
        search: Suggests | None = None,
    ) -> None:
        self.state, self.settings, self.search = state, settings, search
        self.options, self.server, self.slots = options, server, slots
        self.waiting = [trial for trial in state.trials if trial.name in settings]
        self.curves = {trial.name: Curve(state.folder(trial)) for trial in state.trials}
        self.kinds: dict[str, tuple[str, ...] | None] = {}  # of metric and data
        self.attempts: dict[str, int] = {}
        self.trial_of: dict[int, Trial] = {}  # by the id() of its job
        self.prune_reasons: dict[str, str] = {}
        self.failed = self.exhausted = False  # exhausted: every combination was tried
        self.received: int | None = None  # the signal that stops the sweep
        self.unanswered: list[bool] = []  # signals: whether one came before
        self.started = self.monitored_at = time.monotonic()

    def run(self) -> int:
        """Run all unfinished trials; returns the exit code."""
        with self.state.locked():
            return self._run()

    def _run(self) -> int:
        for curve in self.curves.values():
            curve.update()
        if self.search:
            self._restore(self.search)
        total = self.search.plan.trials if self.search else len(self.state.trials)
        threads = self.slots[0].threads
        each = f"{threads} thread{'s' if threads > 1 else ''} each"
        parallel = f"{len(self.slots)} at a time, {each}"
        self.progress = SweepProgress(self.state, parallel, total)
        self.started = time.monotonic()
        handlers = {n: signal.signal(n, self._on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            pool.run(
                self.server,
                self.slots,
                next_job=self._next_job,
                on_exit=self._on_exit,
                stopping=self._stopping,
                on_tick=self._monitor,
            )
            self.progress.close(stopped=self.received is not None)
        finally:
            for signum, handler in handlers.items():
                signal.signal(signum, handler)
        return int(self.failed) if self.received is None else 128 + self.received

    def _on_signal(self, signum: int, frame: object) -> None:
        self.unanswered.append(self.received is not None)
        self.received = signum

    def _stopping(self) -> bool:
        stop = self.failed and self.options.on_failure == "stop"
        minutes = self.options.max_minutes
        timed_out = minutes is not None and time.monotonic() - self.started > 60 * minutes
        return stop or timed_out or self.received is not None

    # ---------------------------------------------------------------------- start

    def _next_job(self) -> pool.Job | None:
        if self.waiting:
            return self._job(self.waiting.pop(0))
        search = self.search
        if search is None or self.exhausted or len(self.state.trials) >= search.plan.trials:
            return None
        trial = search.ask(self.state.trials)
        if trial is None:
            self.progress.total, self.exhausted = len(self.state.trials), True
            return None
        self.settings[trial.name] = compose.load(list(trial.overrides))
        self.state.add(trial)
        return self._job(trial)

    def _job(self, trial: Trial) -> pool.Job:
        self.attempts[trial.name] = self.attempts.get(trial.name, 0) + 1
        self.curves[trial.name] = Curve(self.state.folder(trial))
        minutes = self.options.trial_minutes
        first = self.state.trials[0]
        only_first = replace(self.state, trials=[first])  # a job is pickled: keep it small
        configs = [self._config(trial), self._config(first)]
        job = pool.Job(
            work=partial(lock_and_train, only_first, trial, *configs),
            log=self.state.log_file(trial),
            limit=None if minutes is None else 60 * minutes,
        )
        self.trial_of[id(job)] = trial
        return job

    def _config(self, trial: Trial) -> RunConfig:
        if trial.name not in self.settings:  # it has finished
            self.settings[trial.name] = compose.load(list(trial.overrides))
        return self.settings[trial.name]

    # -------------------------------------------------------------------- monitor

    def _monitor(self, running: Sequence[pool.Job]) -> None:
        """Read the metrics of the running trials, prune, and update the display."""
        while self.unanswered and self.received is not None:  # no handler prints
            self.progress.stopping(self.received, self.unanswered.pop(0))
        if time.monotonic() - self.monitored_at < MONITOR_SECONDS:
            return
        trials = [(job, self.trial_of[id(job)]) for job in running]
        for job, trial in trials:
            curve = self.curves[trial.name]
            if curve.update() and self.options.prune and not job.cancel_requested:
                other_curves = self._rivals(trial)
                rule, after = self.options.prune, self.options.prune_after
                if reason := prune_reason(rule, after, curve.bests, other_curves):
                    self.prune_reasons[trial.name], job.cancel_requested = reason, True
        self.progress.running(
            [(trial.name, job.started, self.curves[trial.name]) for job, trial in trials]
        )
        self.monitored_at = time.monotonic()

    def _rivals(self, trial: Trial) -> list[list[float]]:
        """The curves that a trial's is compared with: of the same metric on the same data."""
        for other in self.state.trials:
            if self.kinds.get(other.name) is None and (monitor := self.curves[other.name].monitor):
                self.kinds[other.name] = self.state.kind(other, monitor)
        own = self.kinds.get(trial.name)
        return [
            curve.bests
            for name, curve in self.curves.items()
            if name != trial.name and curve.bests and self.kinds.get(name) == own
        ]

    # -------------------------------------------------------------- retry, report

    def _on_exit(self, job: pool.Job, code: int) -> pool.Job | None:
        """Record how a trial ended; returns its job for another attempt."""
        trial = self.trial_of.pop(id(job))
        curve = self.curves[trial.name]
        curve.update()
        prune = self.prune_reasons.get(trial.name, "")
        if prune:
            self.state.prune(trial, prune)
        done = self.state.done(trial)
        pruned = done and self.state.result(trial)["status"] == "pruned"
        reason = "" if done else self._failure_reason(job, code)
        self.state.record(trial, ended=code, reason=prune if pruned else reason)
        if not done and self._stopping():
            self.progress.stopped(trial)
            return None
        retry = not done and self.attempts[trial.name] <= self.options.retries
        if done:
            self.progress.done(trial, prune if pruned else "")
        else:
            self.progress.failed(trial, reason, retry)
        if retry:
            return self._job(trial)
        if not done:
            hparams.failed(self.state.folder(trial), self.settings[trial.name].to_dict())
            self.failed = True
        if self.search:
            self.search.tell(trial, self.state.score(trial) if done else None, curve, pruned)
        return None

    def _restore(self, search: Suggests) -> None:
        """Report the results of finished trials to a search that is resumed."""
        search.forget(self.state.trials)
        for trial in self.state.trials:
            if self.state.done(trial):
                pruned = self.state.result(trial)["status"] == "pruned"
                search.tell(trial, self.state.score(trial), self.curves[trial.name], pruned)

    def _failure_reason(self, job: pool.Job, code: int) -> str:
        return failure_reason(code, job.log, self.options.trial_minutes if job.timed_out else None)
