"""`compare --decide A B`: more seeds of two runs until one is better, or they are equal.

Both get the same seeds, so that they are compared pair by pair, on the validation split alone, by
a t-test that may be repeated (zoo/compare/sequential.py). The runs are trials of a sweep: several
at a time, each with its log, resumable. Seeds that exist count, so that the same command goes on
after any kind of stop. The test metrics, which each run measured at its end, are read after the
decision.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.compare import command
from zoo.compare.difference import Difference, Scale, difference
from zoo.compare.judge import default_margin
from zoo.compare.sequential import FIRST, interval
from zoo.config import compose
from zoo.config import groups as configs
from zoo.errors import UserError
from zoo.files import user_path, write_text
from zoo.program import command_line
from zoo.runs.rank import larger_is_better, newest_of, settings_key
from zoo.runs.records import Record, read_runs
from zoo.sweep.controller import Sweep
from zoo.sweep.fork_server import ForkServer
from zoo.sweep.options import SweepOptions
from zoo.sweep.prune import Curve
from zoo.sweep.store import SweepState
from zoo.sweep.trials import Trial, load_configs

OVER = ("seed",)
NAMES = ("A", "B")
FILE = "decide.json"


@dataclass
class Arm:
    """The runs of one setting.

    Attributes:
        example: One of them, which further seeds repeat.
        runs: Those that have finished, by seed.
        home: The folder that holds them, and where more are put.
    """

    example: Record
    runs: dict[int, Record]
    home: Path

    @cached_property
    def overrides(self) -> list[str]:
        """The arguments that repeat it, without the seed."""
        return [o for o in command.overrides(self.example) if configs.key_of(o) != "seed"]

    @property
    def settings(self) -> list[str]:
        """Those of them that are settings: the folder of configs is named once for a command."""
        return [o for o in self.overrides if not o.startswith(configs.CONFIG_DIR_FLAG)]

    @property
    def key(self) -> Any:
        """Equal for runs that differ in the seed alone."""
        return settings_key(self.example, OVER)


def find_arm(text: str) -> Arm:
    """The runs of one setting, from a run, or from a folder with runs of that setting alone.

    Raises:
        UserError: There is none, or there are several settings.
    """
    folder = user_path(text)
    done, _ = read_runs([folder])
    settings = {settings_key(run, OVER): run for run in done}
    if not settings:
        raise UserError(f"--decide {text}: no run there has finished; train one first")
    if len(settings) > 1:
        names = ", ".join(run.path.name for run in list(settings.values())[:3])
        raise UserError(
            f"--decide {text}: it holds runs of {len(settings)} settings; name one run of those "
            f"that you mean, such as {names}"
        )
    example = done[0]
    above = example.path.absolute().parent
    home = above.parent if (above / "sweep.json").is_file() else above
    found = [
        run
        for run in read_runs([folder, home])[0]
        if settings_key(run, OVER) == settings_key(example, OVER)
    ]
    runs = {run.settings["seed"]: run for run in newest_of(found)}
    return Arm(example, {seed: run for seed, run in runs.items() if isinstance(seed, int)}, home)


@dataclass
class Decider:
    """Names the next seeds to train until the arms are decided; a sweep asks it.

    Attributes:
        arms: The two.
        metric: `val/<name>`.
        margin: Differences below it count as none; None for that of the judge.
        budget: The most runs to train.
        folder: Of the sweep.
    """

    arms: tuple[Arm, Arm]
    metric: str
    margin: float | None
    budget: int
    folder: Path = Path()
    before: int = 0
    decision: str | None = None
    failed: str | None = None
    planned: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def plan(self) -> "Decider":
        """Itself, as a sweep asks for `plan.trials`."""
        return self

    @property
    def trials(self) -> int:
        """The most trials that the sweep may have."""
        return self.before + self.budget

    def found(self) -> Difference:
        """How much better A is, by the pairs that have finished."""
        first, second = (self._figures(arm, self.shared) for arm in self.arms)
        return difference(first, second, self.scale)

    @property
    def shared(self) -> list[int]:
        """Seeds that both have."""
        return sorted(set(self.arms[0].runs) & set(self.arms[1].runs))

    def _figures(self, arm: Arm, seeds: Iterable[int]) -> dict[int, float]:
        return {seed: arm.runs[seed].metrics[self.metric] for seed in seeds}

    @property
    def _values(self) -> list[float]:
        return [v for arm in self.arms for v in self._figures(arm, arm.runs).values()]

    @cached_property
    def _larger(self) -> bool:
        return larger_is_better(self.metric, *(arm.example.monitor for arm in self.arms))

    @property
    def scale(self) -> Scale:
        """How the figures are compared."""
        examples = [arm.example.metrics[self.metric] for arm in self.arms]
        return Scale.of(self._values, self._larger, examples)  # chosen before the first look

    @property
    def allowed(self) -> float:
        """The margin of equality."""
        if self.margin is not None:
            return self.margin
        return default_margin(self._values, self.scale)

    @property
    def pairs(self) -> int:
        """Number of seeds that both have."""
        return len(self.shared)

    def look(self) -> None:
        """Decide, if the pairs that have finished show a difference or that there is none."""
        if self.decision or self.pairs < FIRST:
            return
        low, high = interval(self.found())
        if low > 0 or high < 0:
            self.decision = "A" if low > 0 else "B"
        elif -self.allowed < low and high < self.allowed:
            self.decision = "equal"

    # ------------------------------------------------------------- what a sweep asks

    def ask(self, trials: Sequence[Trial]) -> Trial | None:
        """The next run: the partner of a seed that one arm has, then a new seed of both."""
        if self.decision or self.failed:
            return None
        planned = set(self.planned.values())
        left = self.trials - len(trials)
        for seed in self._seeds():
            lacking = [
                k for k, arm in enumerate(self.arms)
                if seed not in arm.runs and (k, seed) not in planned
            ]  # fmt: skip
            begun = any((k, seed) in planned for k in (0, 1))
            if lacking and (begun or len(lacking) <= left):
                return self._trial(lacking[0], seed)
            if lacking:
                return None
        return None

    def _seeds(self) -> list[int]:
        """Those that exist, then as many new ones as the budget may need."""
        known = sorted(set(self.arms[0].runs) | set(self.arms[1].runs))
        planned = sorted({seed for _, seed in self.planned.values()} - set(known))
        used = {*known, *planned}
        fresh = [seed for seed in range(1, len(used) + self.trials + 2) if seed not in used]
        return [*known, *planned, *fresh]

    def _trial(self, arm: int, seed: int) -> Trial:
        trial = Trial(f"{NAMES[arm]},seed={seed}", (*self.arms[arm].settings, f"seed={seed}"))
        self.planned[trial.name] = arm, seed
        return trial

    def tell(self, trial: Trial, score: float | None, curve: Curve, pruned: bool) -> None:
        """A run has ended."""
        arm, seed = self.planned[trial.name]
        if score is None:
            self.failed = trial.name
            return
        self.arms[arm].runs[seed] = Record.read(self.folder / trial.name)
        both = all(seed in one.runs for one in self.arms)
        if both:
            self.look()

    def forget(self, trials: Sequence[Trial]) -> None:
        """Remember the trials of a sweep that goes on."""
        for trial in trials:
            name, _, seed = trial.name.partition(",seed=")
            self.planned[trial.name] = NAMES.index(name), int(seed)


def train_until_decided(decider: Decider) -> int:
    """Train more seeds until decided or the budget ends; the sweep's exit code.

    Raises:
        UserError: Runs that cannot be repeated, as a setting was removed since.
    """
    decider.look()
    if decider.decision or decider.ask([]) is None:
        return 0
    decider.planned.clear()
    server = ForkServer.start()
    try:
        return _sweep(decider, server)
    finally:
        server.close()


def _sweep(decider: Decider, server: ForkServer) -> int:
    home = decider.arms[0].home
    flags = [o for o in decider.arms[0].overrides if o.startswith(configs.CONFIG_DIR_FLAG)]
    with configs.config_dir(flags[0].partition("=")[2] if flags else None):
        for arm in decider.arms:
            compose.load(arm.settings)
        options = SweepOptions(on_failure="stop")
        slots = options.find_slots(decider.budget, *server.machine())
        state = _interrupted(decider, home)
        if state is None:
            state = SweepState.create(home, [], command_line())
            write_text(state.path / FILE, json.dumps(_identity(decider), indent=1) + "\n")
        decider.folder = state.path
        decider.forget(state.trials)
        unfinished = [trial for trial in state.trials if not state.done(trial)]
        decider.before = len(state.trials) - len(unfinished)
        return Sweep(state, load_configs(unfinished), options, server, slots, decider).run()


def _identity(decider: Decider) -> dict[str, Any]:
    return {"metric": decider.metric, "arms": [arm.overrides for arm in decider.arms]}


def _interrupted(decider: Decider, home: Path) -> SweepState | None:
    """The sweep of the same two that was stopped while runs were training, if there is one."""
    for file in sorted(home.glob(f"*/{FILE}"), reverse=True):
        state = SweepState.open(str(file.parent))
        unfinished = [trial for trial in state.trials if not state.done(trial)]
        if unfinished and json.loads(file.read_text(encoding="utf-8")) == _identity(decider):
            return state
    return None
