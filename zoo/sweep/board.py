"""What a person sees of a sweep: each member as it ends, a bar on a terminal, a closing table."""

import sys
import time
from typing import TYPE_CHECKING, Any

from zoo.runs.directory import write_text
from zoo.text_table import text_table
from zoo.training.console import duration

if TYPE_CHECKING:
    from zoo.sweep.ledger import Ledger
    from zoo.sweep.members import Member

TAIL = 4  # lines of a failed member's log


class Board:
    """Prints for the whole sweep.

    Args:
        ledger: What to tell of.
        how: Members are run.
        flags: What else to type for going on.
    """

    def __init__(self, ledger: "Ledger", how: str, flags: str = "") -> None:
        self.ledger, self.started = ledger, time.monotonic()
        self.flags = f" {flags}" if flags else ""
        self.total = len(ledger.members)
        self.finished = [m for m in ledger.members if ledger.done(m)]
        self.failures: dict[str, str] = {}
        self.best: tuple[float, str] | None = None
        self._bar: Any = None
        before = f", {len(self.finished)} done before" if self.finished else ""
        print(f"sweep      {ledger.path}")
        print(f"members    {self.total}{before}; {how}\n")
        for member in self.finished:
            self._rank(member)
        if sys.stdout.isatty():
            from tqdm import tqdm

            tqdm.monitor_interval = 0  # no thread beside us: members are forked
            self._bar = tqdm(
                total=self.total, initial=len(self.finished), unit="run", leave=False,
                file=sys.stdout, dynamic_ncols=True,
            )  # fmt: skip

    def done(self, member: "Member") -> None:
        """It has reached its end."""
        self.finished.append(member)
        score = self._rank(member)
        seconds = self.ledger.result(member).get("seconds", 0.0)
        self._line(f"done    {member.name}  {score}  {duration(seconds)}")
        if self._bar is not None:
            self._bar.update(1)

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

    def tick(self, running: int) -> None:
        """Renew the bar."""
        if self._bar is not None:
            best = f", best {self.best[1]}" if self.best else ""
            text = f"{running} running, {len(self.failures)} failed{best}"
            if self._bar.postfix != text:
                self._bar.set_postfix_str(text)

    def close(self, stopped: bool) -> None:
        """The table, best first, and what to do next."""
        if self._bar is not None:
            self._bar.close()
        ledger = self.ledger
        rows = [("", "run", "monitor", "value", "time")]
        scored = sorted(self.finished, key=lambda m: _score(ledger.result(m)), reverse=True)
        for place, member in enumerate(scored, 1):
            result = ledger.result(member)
            name, value = _monitored(result)
            took = duration(result.get("seconds", 0.0))
            rows.append((str(place), member.name, name, value, took))
        print()
        if scored:
            table = text_table(rows)
            write_text(ledger.path / "table.txt", table + "\n")
            print(table)
        for name, reason in self.failures.items():
            print(f"FAILED  {name}: {reason}")
        left = self.total - len(self.finished) - len(self.failures)
        took = duration(time.monotonic() - self.started)
        print(f"\n{len(self.finished)} of {self.total} done in {took}", end="")
        print(f", {len(self.failures)} failed" * bool(self.failures), end="")
        print(f", {left} left" * bool(left))
        if stopped or left or self.failures:
            print(f"go on     python train.py -m sweep.resume={ledger.path}{self.flags}")
        print(f"next      tensorboard --logdir {ledger.path}")

    def _rank(self, member: "Member") -> str:
        result = self.ledger.result(member)
        name, value = _monitored(result)
        if self.best is None or _score(result) > self.best[0]:
            self.best = (_score(result), f"{name} {value} ({member.name})")
        return f"{name} {value}"

    def _line(self, text: str) -> None:
        if self._bar is not None:
            self._bar.write(text, file=sys.stdout)
        else:
            print(text, flush=True)


def _monitored(result: dict[str, Any]) -> tuple[str, str]:
    """`val/loss`, `0.1234`: what the run was judged by."""
    name = str(result.get("monitor", "-loss")).lstrip("-")
    value = (result.get("best") or {}).get(name)
    return f"val/{name}", "-" if value is None else f"{value:.4f}"


def _score(result: dict[str, Any]) -> float:
    """Greater is better; without a figure, least."""
    monitor = str(result.get("monitor", "-loss"))
    value = (result.get("best") or {}).get(monitor.lstrip("-"))
    if value is None or value != value:
        return float("-inf")
    return -value if monitor.startswith("-") else value
