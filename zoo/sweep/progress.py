"""Output of a sweep: a live display on a terminal, lines elsewhere, a table at the end."""

import itertools
import shlex
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zoo.files import write_text
from zoo.program import spelled
from zoo.report.write import attempt, write_sweep
from zoo.sweep.pool import GRACE_SECONDS
from zoo.sweep.trials import short_keys
from zoo.terminal import TerminalLines, bar, command_lines, is_live, line_width
from zoo.text_table import text_table
from zoo.training.console import duration, show
from zoo.training.signals import spoken

if TYPE_CHECKING:
    from zoo.sweep.prune import Curve
    from zoo.sweep.store import SweepState
    from zoo.sweep.trials import Trial

LOG_LINES = 4  # of a failed trial's log that are shown
MAX_ROWS = 20  # of the table that is printed


class SweepProgress:
    """Prints the progress of a sweep.

    Args:
        state: The sweep.
        runner: How its trials are run: `4 at a time, 2 threads each`.
        total: Number of trials; None for those that the state lists.
        flags: Further arguments of the command that resumes the sweep.
    """

    def __init__(
        self, state: "SweepState", runner: str, total: int | None = None, flags: str = ""
    ) -> None:
        self.state, self.started = state, time.monotonic()
        self.total = len(state.trials) if total is None else total
        self.flags = f" {flags}" if flags else ""
        self.results: dict[str, dict[str, Any]] = {}  # of finished and pruned trials
        self.scores: dict[str, float] = {}
        self.kinds: dict[str, Any] = {}  # of metric and data: others are not compared
        self.failures: dict[str, str] = {}
        self.live = TerminalLines(sys.stdout) if is_live(sys.stdout) else None
        for trial in state.trials:
            if state.done(trial):
                self._add_result(trial)
        self.before = len(self.results)
        done = f", {self.before} done before" if self.before else ""
        print(f"sweep      {state.path}")
        print(f"trials     {self.total}{done}; {runner}\n", flush=True)

    def done(self, trial: "Trial", pruned: str = "") -> None:
        """Report a trial that has finished, or was pruned for the reason given."""
        result = self._add_result(trial)
        count = f"({len(self.results)} of {self.total})"
        took = duration(result.get("seconds", 0.0))
        if pruned:
            self._line(f"pruned  {trial.name}  {pruned}  {took}  {count}")
        else:
            self._line(f"done    {trial.name}  {_score_text(result)}  {took}  {count}")

    def failed(self, trial: "Trial", reason: str, retry: bool) -> None:
        """Report a failure: why, and the last lines of the log."""
        if retry:
            self._line(f"retry   {trial.name}  {reason}")
            return
        self.failures[trial.name] = reason
        self._line(f"FAILED  {trial.name}  {reason}")
        log = self.state.log_file(trial)
        output = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        for line in [line for line in output.splitlines() if line.strip()][-LOG_LINES:]:
            self._line(f"        | {line}")
        self._line(f"        log: {log}")

    def stopped(self, trial: "Trial") -> None:
        """Report a trial that was interrupted, and whether it goes on from where it is."""
        is_saved = self.state.is_saved(trial)
        self._line(f"stopped {trial.name}  {'saved' if is_saved else 'begins again'}")

    def stopping(self, number: int, again: bool) -> None:
        """Answer a signal, the first or a further one."""
        if again:
            self._line(f"already stopping: trials are saving, {GRACE_SECONDS:.0f} s at most")
        else:
            self._line(f"{spoken(number)}: stopping; the running trials save what is done")

    def running(self, trials: "Sequence[tuple[str, float, Curve]]") -> None:
        """Update the live display.

        Args:
            trials: Name, start (monotonic seconds) and curve of each running trial.
        """
        if self.live is None:
            return
        now = time.monotonic()
        ended, pruned = len(self.results) + len(self.failures), self._pruned()
        counts = [f"{ended}/{self.total}", f"{len(trials)} running"]
        counts += [f"{len(self.failures)} failed"] * bool(self.failures)
        counts += [f"{pruned} pruned"] * bool(pruned)
        counts.append(duration(now - self.started))
        if ended > self.before:
            each = (now - self.started) / (ended - self.before)
            counts.append(f"about {duration(each * (self.total - ended))} left")
        lines = [f"{bar(ended / max(1, self.total))}  {'  '.join(counts)}"]
        if best := self._best():
            lines.append(f"best     {_score_text(self.results[best])}  {best}")
        for name, since, curve in trials:
            score = f"  {_named(curve.monitor, curve.bests[-1])}" if curve.bests else ""
            lines.append(f"running  {name}  step {curve.step:,}{score}  {duration(now - since)}")
        self.live.draw(lines)

    def close(self, stopped: bool) -> None:
        """Print the table, best first, and the next commands."""
        if self.live is not None:
            self.live.clear()
        rows = self._rows()
        print()
        if len(rows) > 1:
            write_text(self.state.path / "table.txt", text_table(rows, 200) + "\n")
            print(text_table(rows[: MAX_ROWS + 1]))
            if len(rows) > MAX_ROWS + 1:
                more = len(rows) - MAX_ROWS - 1
                print(f"... {more} more in {self.state.path / 'table.txt'}")
        for name, reason in self.failures.items():
            print(f"FAILED  {name}: {reason}")
        print(f"\n{self._summary()}")
        if stopped or self.failures or len(self.results) < self.total:
            command = f"python train.py -m sweep.resume={self.state.path}{self.flags}"
            command += "".join(f" {shlex.quote(o)}" for o in sorted(self.state.plugins))
            _print_command("resume    ", command)
        if self.results and (path := attempt(write_sweep, self.state.path, _warn)):
            print(f"report    {path}")
        _print_command("compare   ", f"python scripts/compare.py {self.state.path}")
        _print_command("next      ", f"tensorboard --logdir {self.state.path}")

    def _rows(self) -> list[tuple[str, ...]]:
        """The heading, then finished trials from best to worst, then pruned ones; those of each
        metric and data by themselves."""
        trials = [trial for trial in self.state.trials if trial.name in self.results]
        trials.sort(key=lambda trial: self._score(trial.name), reverse=True)
        trials.sort(key=lambda trial: self.results[trial.name]["status"] == "pruned")
        kinds = list(dict.fromkeys(self.kinds.values()))
        trials.sort(key=lambda trial: kinds.index(self.kinds[trial.name]))
        places = {k: itertools.count(1) for k in kinds}
        settings = [dict(o.split("=", 1) for o in trial.overrides) for trial in trials]
        keys = [
            key
            for key in dict.fromkeys(key for values in settings for key in values)
            if len({values.get(key) for values in settings}) > 1
        ]
        monitors = {_monitored(self.results[trial.name])[0] for trial in trials}
        score = monitors.pop() if len(monitors) == 1 else "value"
        short = short_keys(keys)
        rows = [("", "run", *(short[key] for key in keys), score, "time", "")]
        for trial, values in zip(trials, settings, strict=True):
            result, rank = self.results[trial.name], next(places[self.kinds[trial.name]])
            number = str(rank) if trial.number is None else f"{trial.number:03}"
            pruned = "pruned" * (result["status"] == "pruned")
            took = duration(result.get("seconds", 0.0))
            shown = [values.get(key, "") for key in keys]
            value = _score_text(result) if score == "value" else _monitored(result)[1]
            rows.append((str(rank), number, *shown, value, took, pruned))
        searched = any(trial.number is not None for trial in trials)
        return rows if searched else [(row[0], *row[2:]) for row in rows]

    def _summary(self) -> str:
        pruned, failed = self._pruned(), len(self.failures)
        left = self.total - len(self.results) - failed
        steps = sum(result.get("steps", 0) for result in self.results.values())
        return (
            f"{len(self.results) - pruned} of {self.total} done"
            + f", {pruned} pruned" * bool(pruned)
            + f" in {duration(time.monotonic() - self.started)}, {steps:,} steps"
            + f", {failed} failed" * bool(failed)
            + f", {left} left" * bool(left)
        )

    def _add_result(self, trial: "Trial") -> dict[str, Any]:
        result = self.results[trial.name] = self.state.result(trial)
        self.kinds[trial.name] = self.state.kind(trial, str(result.get("monitor", "-loss")))
        if (score := self.state.score(trial)) is not None:
            self.scores[trial.name] = score
        return result

    def _pruned(self) -> int:
        return sum(result["status"] == "pruned" for result in self.results.values())

    def _score(self, name: str) -> float:
        return self.scores.get(name, float("-inf"))

    def _best(self) -> str | None:
        if len(set(self.kinds.values())) > 1:
            return None
        return max(self.scores, key=self._score, default=None)

    def _line(self, text: str) -> None:
        if self.live is not None:
            self.live.clear()
        print(text, flush=True)


def _print_command(label: str, command: str) -> None:
    print(command_lines(label, spelled(command), line_width(sys.stdout)))


def _warn(text: str) -> None:
    print(f"warning: {text}")


def _monitored(result: dict[str, Any]) -> tuple[str, str]:
    """The monitored metric and its best value: `val/loss`, `0.1234`."""
    name = str(result.get("monitor", "-loss")).lstrip("-")
    value = (result.get("best") or {}).get(name)
    return f"val/{name}", "-" if value is None else show(value)


def _score_text(result: dict[str, Any]) -> str:
    return " ".join(_monitored(result))


def _named(monitor: str, score: float) -> str:
    """`val/loss 0.1234` from a score, of which higher is better."""
    return f"val/{monitor.lstrip('-')} {show(-score if monitor.startswith('-') else score)}"
