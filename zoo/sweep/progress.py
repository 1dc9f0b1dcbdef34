"""What a person sees of a sweep: a live table on a terminal, lines elsewhere, a closing table."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zoo.files import write_text
from zoo.program import spelled
from zoo.sweep.terminal import Live, bar
from zoo.sweep.trials import short_keys
from zoo.text_table import text_table
from zoo.training.console import duration

if TYPE_CHECKING:
    from zoo.sweep.prune import Curve
    from zoo.sweep.store import Ledger
    from zoo.sweep.trials import Member

TAIL = 4  # lines of a failed member's log
MOST = 20  # rows of the closing table


class Board:
    """Prints for the whole sweep.

    Args:
        ledger: What to tell of.
        how: Members are run.
        total: Of members there are to be; None for those there are.
        flags: What else to type for going on.
    """

    def __init__(
        self, ledger: "Ledger", how: str, total: int | None = None, flags: str = ""
    ) -> None:
        self.ledger, self.started = ledger, time.monotonic()
        self.total = len(ledger.members) if total is None else total
        self.flags = f" {flags}" if flags else ""
        self.results: dict[str, dict[str, Any]] = {}  # of those that came to an end
        self.scores: dict[str, float] = {}
        self.failures: dict[str, str] = {}
        self.live = Live(sys.stdout) if sys.stdout.isatty() else None
        for member in ledger.members:
            if ledger.done(member):
                self._keep(member)
        self.before = len(self.results)
        done = f", {self.before} done before" if self.before else ""
        print(f"sweep      {ledger.path}")
        print(f"members    {self.total}{done}; {how}\n", flush=True)

    def done(self, member: "Member", pruned: str = "") -> None:
        """It has reached its end, or was pruned, and why."""
        result = self._keep(member)
        place = f"({len(self.results)} of {self.total})"
        took = duration(result.get("seconds", 0.0))
        if pruned:
            self._line(f"pruned  {member.name}  {pruned}  {took}  {place}")
        else:
            self._line(f"done    {member.name}  {_figure(result)}  {took}  {place}")

    def failed(self, member: "Member", reason: str, again: bool) -> None:
        """It has not; says why, with the last lines of its log."""
        if again:
            self._line(f"again   {member.name}  {reason}")
            return
        self.failures[member.name] = reason
        self._line(f"FAILED  {member.name}  {reason}")
        log = self.ledger.log(member)
        said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        for line in [line for line in said.splitlines() if line.strip()][-TAIL:]:
            self._line(f"        | {line}")
        self._line(f"        log: {log}")

    def left(self, member: "Member") -> None:
        """It was asked to stop, and goes on another time."""
        self._line(f"stopped {member.name}")

    def running(self, members: "Sequence[tuple[str, float, Curve]]") -> None:
        """Renew the live table: those that run, when they began, their curves."""
        if self.live is None:
            return
        now = time.monotonic()
        ended, pruned = len(self.results) + len(self.failures), self._pruned()
        parts = [f"{ended}/{self.total}", f"{len(members)} running"]
        parts += [f"{len(self.failures)} failed"] * bool(self.failures)
        parts += [f"{pruned} pruned"] * bool(pruned)
        parts.append(duration(now - self.started))
        if ended > self.before:
            each = (now - self.started) / (ended - self.before)
            parts.append(f"about {duration(each * (self.total - ended))} left")
        lines = [f"{bar(ended / max(1, self.total))}  {'  '.join(parts)}"]
        if best := self._best():
            lines.append(f"best     {_figure(self.results[best])}  {best}")
        for name, since, curve in members:
            seen = f"  {_named(curve.monitor, curve.bests[-1])}" if curve.bests else ""
            lines.append(f"running  {name}  step {curve.step:,}{seen}  {duration(now - since)}")
        self.live.draw(lines)

    def close(self, stopped: bool) -> None:
        """The table, best first, and what to do next."""
        if self.live is not None:
            self.live.clear()
        rows = self._rows()
        print()
        if len(rows) > 1:
            write_text(self.ledger.path / "table.txt", text_table(rows, 200) + "\n")
            print(text_table(rows[: MOST + 1]))
            if len(rows) > MOST + 1:
                more = len(rows) - MOST - 1
                print(f"... {more} more in {self.ledger.path / 'table.txt'}")
        for name, reason in self.failures.items():
            print(f"FAILED  {name}: {reason}")
        print(f"\n{self._summary()}")
        if stopped or self.failures or len(self.results) < self.total:
            again = f"python train.py -m sweep.resume={self.ledger.path}{self.flags}"
            print(f"go on     {spelled(again)}")
        print(spelled(f"compare   python scripts/compare.py {self.ledger.path}"))
        print(f"next      tensorboard --logdir {self.ledger.path}")

    def _rows(self) -> list[tuple[str, ...]]:
        """A heading, then those that came to an end, the best first, the pruned ones last."""
        members = [m for m in self.ledger.members if m.name in self.results]
        members.sort(key=lambda m: self._score(m.name), reverse=True)
        members.sort(key=lambda m: self.results[m.name]["status"] == "pruned")
        values = [dict(one.split("=", 1) for one in m.overrides) for m in members]
        keys = [
            key
            for key in dict.fromkeys(key for one in values for key in one)
            if len({one.get(key) for one in values}) > 1
        ]
        figures = {_monitored(self.results[m.name])[0] for m in members}
        figure = figures.pop() if len(figures) == 1 else "value"
        short = short_keys(keys)
        rows = [("", "run", *(short[key] for key in keys), figure, "time", "")]
        for place, (member, own) in enumerate(zip(members, values), 1):
            result = self.results[member.name]
            run = str(place) if member.trial is None else f"{member.trial:03}"
            end = "pruned" * (result["status"] == "pruned")
            took = duration(result.get("seconds", 0.0))
            shown = [own.get(key, "") for key in keys]
            rows.append((str(place), run, *shown, _monitored(result)[1], took, end))
        searched = any(member.trial is not None for member in members)
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

    def _keep(self, member: "Member") -> dict[str, Any]:
        result = self.results[member.name] = self.ledger.result(member)
        if (score := self.ledger.score(member)) is not None:
            self.scores[member.name] = score
        return result

    def _pruned(self) -> int:
        return sum(result["status"] == "pruned" for result in self.results.values())

    def _score(self, name: str) -> float:
        return self.scores.get(name, float("-inf"))

    def _best(self) -> str | None:
        return max(self.scores, key=self._score, default=None)

    def _line(self, text: str) -> None:
        if self.live is not None:
            self.live.clear()
        print(text, flush=True)


def _monitored(result: dict[str, Any]) -> tuple[str, str]:
    """`val/loss`, `0.1234`: what the run was judged by."""
    name = str(result.get("monitor", "-loss")).lstrip("-")
    value = (result.get("best") or {}).get(name)
    return f"val/{name}", "-" if value is None else f"{value:.4f}"


def _figure(result: dict[str, Any]) -> str:
    return " ".join(_monitored(result))


def _named(monitor: str, score: float) -> str:
    """`val/loss 0.1234` of a score, which is the greater the better."""
    return f"val/{monitor.lstrip('-')} {-score if monitor.startswith('-') else score:.4f}"
