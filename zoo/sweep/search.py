"""Hyperparameter search: the settings of each trial are chosen from the results of those before.

Optuna suggests them (at random, or by TPE: Bergstra et al., 2011, Algorithms for Hyper-Parameter
Optimization) and keeps its study in the sweep's folder, study.db, by its ask-and-tell interface.
The n-th suggestion has a seed of its own, so that a resumed search continues as it would have.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from zoo.config import compose
from zoo.config.run import RunConfig
from zoo.errors import UserError
from zoo.runs.rank import FILES, TOKENIZER, is_per_token
from zoo.sweep.prune import Curve
from zoo.sweep.space import Space, read_space, rounded
from zoo.sweep.trials import Trial, folder_name, short_keys

MAX_REPEATS = 100  # known suggestions in a row, after which the space counts as exhausted


@dataclass(frozen=True)
class SearchPlan:
    """The settings of a search; sweep.json keeps them.

    Attributes:
        method: random or tpe.
        trials: Number of trials.
        seed: Seed of the suggestions.
        typed: Overrides of the command line, ranges among them.
        space, when: As in configs/sweep.
    """

    method: Literal["random", "tpe"]
    trials: int
    seed: int
    typed: Sequence[str]
    space: Mapping[str, Any]
    when: Mapping[str, Any]

    def read(self, is_new: bool = False) -> tuple[Space, list[str]]:
        """The search space and the fixed overrides, after each setting was composed once.

        Args:
            is_new: Whether to check that its trials can be compared; one that is resumed was begun.

        Raises:
            UserError: A setting or value that does not fit.
        """
        space, fixed = read_space(self.typed, self.space, self.when)
        configs = [compose.load([*fixed, *example]) for example in space.examples()]
        if is_new:
            _check_comparable(configs, space.keys())
        return space, fixed

    def to_json(self) -> dict[str, Any]:
        """For sweep.json."""
        return asdict(self)


def _check_comparable(configs: Sequence[RunConfig], keys: Sequence[str]) -> None:
    """Check that the trials of a search have one measure: it prefers those that are better.

    Args:
        configs: In which every choice occurs.
        keys: The settings that are sampled.

    Raises:
        UserError: They differ in the dataset, or by a tokenizer in what a loss means.
    """
    names = list(dict.fromkeys(str(config.data["name"]) for config in configs))
    others = [key for key in keys if key in FILES]
    if len(names) > 1 or others:
        what = " and ".join(names) if len(names) > 1 else f"other {others[0]}"
        raise UserError(
            f"a search would choose the easiest data: trials on {what} cannot be compared; search "
            f"on one, or leave out sweep.method for a grid of all"
        )
    tokenizers = [key for key in keys if key in TOKENIZER]
    for config in configs:
        monitor = config.task.get("monitor") or config.task.get("metric") or "-loss"
        if tokenizers and is_per_token(str(config.task["name"]), monitor):
            raise UserError(
                f"a search would choose {tokenizers[0]} by the length of its tokens: losses of "
                f"different tokenizers cannot be compared; use one, or task.monitor="
                f"-bits_per_byte where the task has it"
            )


class Search:
    """Asks Optuna for trials and tells it their results.

    Args:
        folder: The sweep's folder.
        plan: The search's settings.

    Raises:
        UserError: As SearchPlan.read.
    """

    def __init__(self, folder: Path, plan: SearchPlan) -> None:
        self.space, self.fixed = plan.read()
        self.plan, self.short = plan, short_keys(self.space.keys())
        import optuna  # after mistakes were reported: it takes a second

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.optuna: Any = optuna
        self.study = optuna.create_study(
            storage=f"sqlite:///{folder / 'study.db'}",
            study_name="sweep",
            direction="maximize",
            load_if_exists=True,
        )

    def ask(self, trials: Sequence[Trial]) -> Trial | None:
        """The next trial, different from all so far; None if the space seems exhausted."""
        known = {trial.overrides for trial in trials}
        for _ in range(MAX_REPEATS):
            self.study.sampler = self._sampler(len(self.study.get_trials(deepcopy=False)))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # some of what we use is experimental there
                suggestion = self.study.ask()
                chosen = self.space.suggest(suggestion)
            overrides = (*self.fixed, *chosen)
            if overrides not in known:
                values = dict(override.split("=", 1) for override in chosen)
                name = folder_name({self.short[key]: value for key, value in values.items()})
                return Trial(f"{suggestion.number:03},{name}", overrides, suggestion.number)
            self.study.tell(suggestion.number, state=self.optuna.trial.TrialState.FAIL)
        return None

    def _sampler(self, number: int) -> Any:
        """The sampler of the suggestion with this number."""
        seed = (self.plan.seed * 1_000_003 + number) % 2**32
        samplers = self.optuna.samplers
        if self.plan.method == "random":
            return _rounding(samplers.RandomSampler(seed=seed))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _rounding(
                samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
            )

    def tell(self, trial: Trial, score: float | None, curve: Curve, pruned: bool) -> None:
        """Report how a trial ended.

        Args:
            trial: One that `ask` returned.
            score: Its best validation score, higher is better; None if it has none.
            curve: Its curve.
            pruned: Whether it was pruned.
        """
        states = self.optuna.trial.TrialState
        known = self.study.get_trials(deepcopy=False)
        stored = next((frozen for frozen in known if frozen.number == trial.number), None)
        if stored is None or stored.state in (states.COMPLETE, states.PRUNED):
            return
        state = states.FAIL if score is None else states.COMPLETE
        state = states.PRUNED if pruned else state
        curve_points = {k: v for k, v in enumerate(curve.bests, 1) if math.isfinite(v)}
        if stored.state == states.FAIL:
            self._add_again(stored, state, score, curve_points)
            return
        optuna_trial = self.optuna.trial.Trial(self.study, stored._trial_id)
        for evaluation, value in curve_points.items():
            optuna_trial.report(value, evaluation)
        self.study.tell(optuna_trial, score if state == states.COMPLETE else None, state=state)

    def _add_again(
        self, failed: Any, state: Any, score: float | None, curve_points: Mapping[int, float]
    ) -> None:
        """Report the end of a trial that had failed before the search was resumed, once: a second
        trial of the study, as Optuna changes none that has ended."""
        states = self.optuna.trial.TrialState
        ended = self.study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED))
        if state == states.FAIL or any(other.params == failed.params for other in ended):
            return
        self.study.add_trial(
            self.optuna.trial.create_trial(
                state=state,
                value=score if state == states.COMPLETE else None,
                params=failed.params,
                distributions=failed.distributions,
                intermediate_values=dict(curve_points),
            )
        )

    def forget(self, trials: Sequence[Trial]) -> None:
        """Discard suggestions that never became a trial because the sweep was killed."""
        known = {trial.number for trial in trials}
        for stored in self.study.get_trials(deepcopy=False):
            if not stored.state.is_finished() and stored.number not in known:
                self.study.tell(stored.number, state=self.optuna.trial.TrialState.FAIL)


def _rounding(sampler: Any) -> Any:
    """The sampler with short numbers, so that the study holds the very values that are run."""
    from optuna.distributions import FloatDistribution

    independent, relative = sampler.sample_independent, sampler.sample_relative

    def short(value: Any, distribution: Any) -> Any:
        if isinstance(distribution, FloatDistribution):
            return rounded(value, distribution.low, distribution.high)
        return value

    def sample_independent(study: Any, trial: Any, name: str, distribution: Any) -> Any:
        return short(independent(study, trial, name, distribution), distribution)

    def sample_relative(study: Any, trial: Any, space: dict[str, Any]) -> dict[str, Any]:
        values = relative(study, trial, space)
        return {name: short(value, space[name]) for name, value in values.items()}

    sampler.sample_independent, sampler.sample_relative = sample_independent, sample_relative
    return sampler
