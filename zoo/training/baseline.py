"""What a trivial answer reaches: whether training has beaten it, and if not, the likely reasons."""

import math
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from zoo.tasks.base import Baseline, Batch, HasBaseline, LearnsBaseline, Task
from zoo.tasks.capabilities import Judged
from zoo.training.console import show
from zoo.training.loader import Loader
from zoo.training.runtime import Runtime

VALUES = 2**24  # of the training split that a baseline is learnt from, spread over it
FEW_STEPS = 200
Metrics = dict[str, dict[str, float]]  # by split and name


def learn_baseline(task: Task, loader: Loader, runtime: Runtime) -> None:
    """Count what the task's baseline is learnt from, over the training split; without a model.

    Where the split is very large, over samples spread evenly over it.
    """
    if not isinstance(task, LearnsBaseline):
        return
    samples = loader.sizes["train"]
    values = sum(column[0].numel() for column in next(loader.training(0, 1))[0].values())
    every = max(1, math.ceil(samples * values / VALUES))
    counts = [
        task.baseline_counts(batch).cpu() for batch in loader.evaluation("train", None, every)
    ]
    ranks = runtime.gather(sum(counts) if counts else None)  # a rank may have no sample
    task.learn_baseline(sum(total for total in ranks if total is not None))


class Yardstick:
    """What the trivial answer reaches on each split, and the last losses to compare it with.

    Args:
        task, loader, runtime: Of the run.
    """

    def __init__(self, task: Task, loader: Loader, runtime: Runtime) -> None:
        self.task, self.loader, self.runtime = task, loader, runtime
        self.baselines: dict[str, Baseline] = {}  # of each split that was evaluated
        self.losses: dict[str, float] = {}  # the last one of each split
        self._is_learnt = False

    def batches(self, split: str) -> Iterator[Batch]:
        """Those of a split to evaluate; before the first, the baseline is learnt."""
        if not self._is_learnt:
            self._is_learnt = True
            learn_baseline(self.task, self.loader, self.runtime)
        return self.loader.evaluation(split)

    def lacks(self, split: str) -> bool:
        """Whether the task states a baseline, and the split was not evaluated in this session."""
        return isinstance(self.task, HasBaseline) and split not in self.losses

    def summarize(self, split: str, means: dict[str, Tensor]) -> dict[str, float]:
        """The task's metrics of a split; notes its baseline and its loss."""
        metrics = self.task.summarize(means)
        self.losses[split] = metrics.get("loss", math.nan)
        if split == "train" or not isinstance(self.task, HasBaseline):
            return metrics
        if (baseline := self.task.baseline(means)) is not None:
            self.baselines[split] = baseline
        return metrics

    def entry(self, metrics: Metrics) -> dict[str, Any] | None:
        """`baseline` of result.json: its name, `val` and `test`, and whether it is `beaten`, by the
        monitored metric. None where the task states none."""
        if not self.baselines:
            return None
        name = [*self.baselines.values()][-1].name  # of the test split: it may say more
        values = {split: baseline.metrics for split, baseline in self.baselines.items()}
        return {"name": name, **values, "beaten": is_beaten(values, metrics, self.task.monitor)}

    def shortfall(self, metrics: Metrics, best: Any, step: int, rate: float) -> str:
        """One line on a run that does not beat its baseline, with the likely reasons.

        Args:
            metrics: Of the run.
            best: Its best validation.
            step: How many it took.
            rate: The peak of its learning rate.
        """
        name = self.task.monitor.removeprefix("-")
        split = deciding_split({s: b.metrics for s, b in self.baselines.items()}, metrics, name)
        assert split is not None
        baseline = self.baselines[split]
        reached, trivial = show(metrics[split][name]), show(baseline.metrics[name])
        return (
            f"no better than the trivial answer ({baseline.name}): {split} {name} {reached} "
            f"against {trivial}; likely: {'; or '.join(self._reasons(baseline, best, step, rate))}"
        )

    def _reasons(self, baseline: Baseline, best: Any, step: int, rate: float) -> list[str]:
        """What may have gone wrong, by what the run shows."""
        reasons = [baseline.hint] if baseline.hint else []
        if step < FEW_STEPS:
            reasons.append(f"only {step} steps (train longer)")
        lowest, trivial = best.metrics.get("loss", math.nan), baseline.metrics.get("loss", math.nan)
        trained, last = (self.losses.get(split, math.nan) for split in ("train", "val"))
        if last > 1.5 * lowest:
            reasons.append(
                f"the validation loss rose from {show(lowest)} at step {best.step} to {show(last)} "
                f"(lower optim.lr={rate:g}, or stop earlier)"
            )
        elif trained < 0.8 * min(trivial, lowest):
            reasons.append(
                f"learnt by heart: the training loss is {show(trained)} (give more data, a smaller "
                f"model, dropout)"
            )
        elif not trained < 0.98 * trivial or not reasons:
            reasons.append(f"optim.lr={rate:g} is too high or too low (try a tenth, and ten times)")
            if not isinstance(self.task, Judged):  # which learns the inputs, and has no targets
                reasons.append("the inputs say nothing of the targets (are the labels in order?)")
        return reasons


def deciding_split(baseline: Metrics, metrics: Metrics, name: str) -> str | None:
    """The split whose metric decides: the test split, or validation where only that has both the
    run's and the baseline's number."""
    for split in ("test", "val"):
        values = metrics.get(split, {}).get(name), baseline.get(split, {}).get(name)
        if all(isinstance(v, int | float) and math.isfinite(v) for v in values):
            return split
    return None


def is_beaten(baseline: Metrics, metrics: Metrics, monitor: str) -> bool | None:
    """Whether a run is better than its baseline, not just equal; None where that cannot be told."""
    name = monitor.removeprefix("-")
    if (split := deciding_split(baseline, metrics, name)) is None:
        return None
    reached, trivial = metrics[split][name], baseline[split][name]
    return reached < trivial if monitor.startswith("-") else reached > trivial
