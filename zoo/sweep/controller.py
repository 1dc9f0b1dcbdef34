"""The members of a sweep on their way: begun, watched, pruned, tried again, told of."""

import signal
import time
from dataclasses import replace
from functools import partial

from zoo.config import compose
from zoo.config.run import RunConfig
from zoo.runs import hparams
from zoo.sweep import pool
from zoo.sweep.fork_server import Nursery, Slot
from zoo.sweep.options import SweepOptions
from zoo.sweep.progress import Board
from zoo.sweep.prune import Curve, hopeless
from zoo.sweep.search import Search
from zoo.sweep.store import Ledger
from zoo.sweep.trial_runner import hold_and_train, reason_of
from zoo.sweep.trials import Member

LOOK = 0.2  # seconds between looks at what the members have written


class Sweep:
    """A sweep that runs here.

    Args:
        ledger: Which members there are, and how far each is.
        settings: The checked configs of those that are not done, by name.
        options: How to run them.
        nursery: What they are forked from.
        slots: Shares of the machine.
        search: What chooses further members; None for a grid.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: dict[str, RunConfig],
        options: SweepOptions,
        nursery: Nursery,
        slots: list[Slot],
        search: Search | None = None,
    ) -> None:
        self.ledger, self.settings, self.search = ledger, settings, search
        self.options, self.nursery, self.slots = options, nursery, slots
        self.waiting = [member for member in ledger.members if member.name in settings]
        self.curves = {m.name: Curve(ledger.folder(m)) for m in ledger.members}
        self.tries: dict[str, int] = {}
        self.member_of: dict[int, Member] = {}
        self.pruned: dict[str, str] = {}
        self.failed = self.exhausted = False  # exhausted: every combination was tried
        self.received: int | None = None
        self.started = self.looked = time.monotonic()

    def run(self) -> int:
        """All that are not done; the exit code."""
        with self.ledger.held():
            return self._run()

    def _run(self) -> int:
        for curve in self.curves.values():
            curve.update()
        if self.search:
            self._catch_up(self.search)
        total = self.search.plan.trials if self.search else len(self.ledger.members)
        how = f"{len(self.slots)} at a time, {self.slots[0].threads} threads each"
        self.board = Board(self.ledger, how, total)
        self.started = time.monotonic()
        handlers = {n: signal.signal(n, self._note) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            beside = (self._ended, self._stopping, self._look)
            pool.run(self.nursery, self._next, self.slots, *beside)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        self.board.close(stopped=self.received is not None)
        return int(self.failed) if self.received is None else 128 + self.received

    def _note(self, number: int, frame: object) -> None:
        self.received = number

    def _stopping(self) -> bool:
        stop = self.failed and self.options.on_failure == "stop"
        minutes = self.options.max_minutes
        over = minutes is not None and time.monotonic() - self.started > 60 * minutes
        return stop or over or self.received is not None

    # ----------------------------------------------------------------- beginning

    def _next(self) -> pool.Job | None:
        if self.waiting:
            return self._job(self.waiting.pop(0))
        search = self.search
        if search is None or self.exhausted or len(self.ledger.members) >= search.plan.trials:
            return None
        member = search.ask(self.ledger.members)
        if member is None:
            self.board.total, self.exhausted = len(self.ledger.members), True
            return None
        self.settings[member.name] = compose.load(list(member.overrides))
        self.ledger.add(member)
        return self._job(member)

    def _job(self, member: Member) -> pool.Job:
        self.tries[member.name] = self.tries.get(member.name, 0) + 1
        self.curves[member.name] = Curve(self.ledger.folder(member))
        minutes = self.options.member_minutes
        alone = replace(self.ledger, members=[])  # the others are not sent with each
        job = pool.Job(
            work=partial(hold_and_train, alone, member, self.settings[member.name]),
            log=self.ledger.log(member),
            limit=None if minutes is None else 60 * minutes,
        )
        self.member_of[id(job)] = member
        return job

    # ------------------------------------------------------------------ watching

    def _look(self, running: list[pool.Job]) -> None:
        if time.monotonic() - self.looked < LOOK:
            return
        members = [(job, self.member_of[id(job)]) for job in running]
        for job, member in members:
            curve = self.curves[member.name]
            if curve.update() and self.options.prune and not job.unwanted:
                others = [c.bests for name, c in self.curves.items() if name != member.name]
                rule, after = self.options.prune, self.options.prune_after
                if why := hopeless(rule, after, curve.bests, others):
                    self.pruned[member.name], job.unwanted = why, True
        self.board.running(
            [(member.name, job.started, self.curves[member.name]) for job, member in members]
        )
        self.looked = time.monotonic()

    # -------------------------------------------------------------------- ending

    def _ended(self, job: pool.Job, code: int) -> pool.Job | None:
        member = self.member_of.pop(id(job))
        curve = self.curves[member.name]
        curve.update()
        why = self.pruned.get(member.name, "")
        if why:
            self.ledger.prune(member, why)
        done = self.ledger.done(member)
        pruned = done and self.ledger.result(member)["status"] == "pruned"
        reason = "" if done else self._reason(job, code)
        self.ledger.note(member, ended=code, reason=why if pruned else reason)
        if not done and self._stopping():
            self.board.left(member)
            return None
        again = not done and self.tries[member.name] <= self.options.retries
        if done:
            self.board.done(member, why if pruned else "")
        else:
            self.board.failed(member, reason, again)
        if again:
            return self._job(member)
        if not done:
            hparams.failed(self.ledger.folder(member), self.settings[member.name].to_dict())
            self.failed = True
        if self.search:
            self.search.tell(member, self.ledger.score(member) if done else None, curve, pruned)
        return None

    def _catch_up(self, search: Search) -> None:
        """A search that goes on learns what it was not told."""
        search.forget(self.ledger.members)
        for member in self.ledger.members:
            if self.ledger.done(member):
                pruned = self.ledger.result(member)["status"] == "pruned"
                search.tell(member, self.ledger.score(member), self.curves[member.name], pruned)

    def _reason(self, job: pool.Job, code: int) -> str:
        return reason_of(code, job.log, self.options.member_minutes if job.overdue else None)
