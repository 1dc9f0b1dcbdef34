"""Search: members chosen one after another, by what those before them reached.

Optuna chooses (random, or TPE: Bergstra et al., 2011, Algorithms for Hyper-Parameter Optimization)
and keeps its record in the sweep's folder, study.db; we ask and tell. The n-th choice has random
numbers of its own, so that a search that was stopped goes on as it would have.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from zoo.config import compose
from zoo.sweep.prune import Curve
from zoo.sweep.space import Space, read_space
from zoo.sweep.trials import Member, folder_name, short_keys

ATTEMPTS = 100  # choices in a row that were tried before, until the space counts as exhausted


@dataclass(frozen=True)
class SearchPlan:
    """What was asked for, as sweep.json keeps it.

    Attributes:
        method: random or tpe.
        trials: Members to try.
        seed: Of what is chosen.
        typed: Overrides of the command line, ranges among them.
        space, when: As in configs/sweep.
    """

    method: Literal["random", "tpe"]
    trials: int
    seed: int
    typed: Sequence[str]
    space: Mapping[str, Any]
    when: Mapping[str, Any]

    def read(self) -> tuple[Space, list[str]]:
        """The space and the fixed overrides, each setting tried.

        Raises:
            UserError: A setting or value that does not fit.
        """
        space, fixed = read_space(self.typed, self.space, self.when)
        for example in space.examples():
            compose.load([*fixed, *example])
        return space, fixed

    def to_json(self) -> dict[str, Any]:
        """For sweep.json."""
        return asdict(self)


class Search:
    """Asks for members and tells what became of them.

    Args:
        folder: The sweep's.
        plan: What was asked for.

    Raises:
        UserError: As SearchPlan.read.
    """

    def __init__(self, folder: Path, plan: SearchPlan) -> None:
        self.space, self.fixed = plan.read()
        self.plan, self.short = plan, short_keys(self.space.keys())
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.optuna: Any = optuna
        self.study = optuna.create_study(
            storage=f"sqlite:///{folder / 'study.db'}",
            study_name="sweep",
            direction="maximize",
            load_if_exists=True,
        )

    def ask(self, members: Sequence[Member]) -> Member | None:
        """The next member, other than all so far; None where there seems to be no other."""
        known = {member.overrides for member in members}
        for _ in range(ATTEMPTS):
            self.study.sampler = self._sampler(len(self.study.get_trials(deepcopy=False)))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it calls some of what we use experimental
                trial = self.study.ask()
                chosen = self.space.suggest(trial)
            overrides = (*self.fixed, *chosen)
            if overrides not in known:
                values = dict(one.split("=", 1) for one in chosen)
                name = folder_name({self.short[key]: value for key, value in values.items()})
                return Member(f"{trial.number:03},{name}", overrides, trial.number)
            self.study.tell(trial.number, state=self.optuna.trial.TrialState.FAIL)
        return None

    def _sampler(self, number: int) -> Any:
        """Of the choice with this number."""
        seed = (self.plan.seed * 1_000_003 + number) % 2**32
        samplers = self.optuna.samplers
        if self.plan.method == "random":
            return samplers.RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)

    def tell(self, member: Member, score: float | None, curve: Curve, pruned: bool) -> None:
        """What became of a member.

        Args:
            member: One that was asked for.
            score: Its best validation, more being better; None without one.
            curve: Of its validations.
            pruned: Whether it was ended for its curve.
        """
        states = self.optuna.trial.TrialState
        trials = {one.number: one for one in self.study.get_trials(deepcopy=False)}
        found = trials.get(member.trial)
        if found is None or found.state.is_finished():
            return
        trial = self.optuna.trial.Trial(self.study, found._trial_id)
        for k, value in enumerate(curve.bests, 1):
            trial.report(value, k)
        if pruned:
            self.study.tell(trial, state=states.PRUNED)
        elif score is None:
            self.study.tell(trial, state=states.FAIL)
        else:
            self.study.tell(trial, score)

    def forget(self, members: Sequence[Member]) -> None:
        """Choices that were made but never became a member, when the sweep was killed."""
        known = {member.trial for member in members}
        for trial in self.study.get_trials(deepcopy=False):
            if not trial.state.is_finished() and trial.number not in known:
                self.study.tell(trial.number, state=self.optuna.trial.TrialState.FAIL)
