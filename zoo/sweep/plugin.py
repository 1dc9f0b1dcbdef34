"""Hydra's `-m`, by our own sweeper: grid, slots, failures told as they happen, resume.

With another launcher (`hydra/launcher=submitit_slurm`) the members go to that one instead.
"""

import importlib
import os
import shlex
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, OmegaConf

from zoo import config as configs
from zoo.errors import UserError
from zoo.runs import hparams
from zoo.sweep import pool
from zoo.sweep.board import Board
from zoo.sweep.ledger import Ledger
from zoo.sweep.members import Member, checked, grid
from zoo.sweep.options import SweepOptions, read_options


def sweep(arguments: list[str], hydra_context: Any, task_function: Any, config: DictConfig) -> int:
    """Run every member of what was typed behind `-m`; the exit code.

    Args:
        arguments: Overrides, lists of values among them.
        hydra_context, task_function, config: Hydra's.

    Raises:
        UserError: A mistake in any member, before the first one runs.
    """
    if "RANK" in os.environ:
        raise UserError(
            "-m under torchrun: every rank would run every member; start the sweep without "
            "torchrun, with trainer.devices=2 for two processes a member"
        )
    options = read_options(OmegaConf.to_container(config.sweep))  # type: ignore[arg-type]
    own = [a for a in arguments if not configs.of_sweep(a)]
    if options.resume:
        if own:
            raise UserError(
                f"sweep.resume goes on with the sweep as it was: '{own[0]}' would change it"
            )
        ledger = Ledger.open(options.resume)
        left = [member for member in ledger.members if not ledger.done(member)]
        return Sweep(ledger, checked(left), options, options.find_slots(len(left))).run()
    parser = OverridesParser.create(config_loader=hydra_context.config_loader)
    members = grid(parser.parse_overrides(own))
    settings = checked(members)
    if config.hydra.runtime.choices["hydra/launcher"] != "basic":
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        launcher.launch([list(member.overrides) for member in members], 0)
        return 0
    slots = options.find_slots(len(members))
    names = {one["name"] for one in settings.values()}
    name = names.pop() if len(names) == 1 else "sweep"
    root = Path(settings[members[0].name]["output_dir"]) / name
    command = shlex.join(["python", *sys.argv])
    ledger = Ledger.create(root, members, command)
    return Sweep(ledger, settings, options, slots).run()


class Sweep:
    """Members on their way.

    Args:
        ledger: Which there are, and how far each is.
        settings: The checked configs of those that are not done, by name.
        options: How to run them.
        slots: Shares of the machine.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: dict[str, configs.Config],
        options: SweepOptions,
        slots: list[pool.Slot],
    ) -> None:
        self.ledger, self.settings = ledger, settings
        self.options, self.slots = options, slots
        self.board = Board(ledger, len(self.slots), self.slots[0].threads)
        self.tries: dict[str, int] = {}
        self.member_of: dict[int, Member] = {}
        self.failed = False
        self.received: int | None = None

    def run(self) -> int:
        """All that are not done; the exit code."""
        with self.ledger.held():
            return self._run()

    def _run(self) -> int:
        waiting = [self._job(m) for m in self.ledger.members if m.name in self.settings]
        preload()
        handlers = {n: signal.signal(n, self._note) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            pool.run(waiting, self.slots, self._ended, self._stopping, self.board.tick)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        self.board.close(stopped=self.received is not None)
        return int(self.failed) if self.received is None else 128 + self.received

    def _note(self, number: int, frame: Any) -> None:
        self.received = number

    def _stopping(self) -> bool:
        stop = self.failed and self.options.on_failure == "stop"
        return stop or self.received is not None

    def _job(self, member: Member) -> pool.Job:
        self.tries[member.name] = self.tries.get(member.name, 0) + 1
        minutes = self.options.member_minutes
        job = pool.Job(
            work=lambda: self._work(member),
            log=self.ledger.log(member),
            limit=None if minutes is None else 60 * minutes,
        )
        self.member_of[id(job)] = member
        return job

    def _ended(self, job: pool.Job, code: int) -> pool.Job | None:
        member = self.member_of[id(job)]
        reason = "" if self.ledger.done(member) else self._reason(job, code)
        self.ledger.note(member, ended=code, reason=reason)
        if not reason:
            self.board.done(member)
        elif self._stopping():
            self.board.left(member)
        else:
            again = self.tries[member.name] <= self.options.retries
            self.board.failed(member, reason, again)
            if again:
                return self._job(member)
            hparams.failed(self.ledger.folder(member), self.settings[member.name])
            self.failed = True
        return None

    def _work(self, member: Member) -> int:
        """In a process of its own."""
        from zoo.cli import report

        return report(lambda: self._train(member))

    def _train(self, member: Member) -> int:
        from zoo.run_config import load_run
        from zoo.session import train

        self.ledger.note(member, began=os.getpid())
        overrides = list(member.overrides)
        if run := self.ledger.clear(member):
            return train(load_run(run.path, []), overrides, run)
        settings = self.settings[member.name]
        return train(settings, overrides, place=self.ledger.folder(member))

    def _reason(self, job: pool.Job, code: int) -> str:
        if job.overdue:
            return f"took longer than sweep.member_minutes={self.options.member_minutes:g}"
        if code > 128:
            with suppress(ValueError):
                return f"ended by {signal.Signals(code - 128).name}"
        return last_line(job.log) or f"exit code {code}"


def preload() -> None:
    """Import what members would import, each for itself; computes nothing: a process that has used
    torch's threads cannot be forked."""
    for name in ("matplotlib.backends.backend_agg", "torch.utils.tensorboard", "zoo.session"):
        importlib.import_module(name)
    from zoo.registry import ADAPTERS, DATASETS, MODELS, OPTIMIZERS, SCHEDULES, TASKS

    for registry in (ADAPTERS, DATASETS, MODELS, OPTIMIZERS, SCHEDULES, TASKS):
        registry.names()


def last_line(log: Path) -> str:
    """What was said last."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
