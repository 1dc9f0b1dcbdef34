"""`task.monitor`: the metric that picks the best weights and ranks the run."""

from typing import Any

from zoo.errors import UserError, closest_match
from zoo.runs.rank import larger_is_better
from zoo.tasks.base import Task
from zoo.training.dry_run import DryRun
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision


def set_monitor(task: Task, options: dict[str, Any], recorded: str | None = None) -> bool:
    """Have a task monitor the metric of its settings; whether there is one.

    Args:
        task: Changed in place.
        options: The group `task`.
        recorded: Of a run that is resumed: what it monitored until now.
    """
    chosen = options.get("monitor") or recorded
    if chosen:
        task.monitor = chosen
    return bool(options.get("monitor"))


def check_monitor(dry_run: DryRun, own: str) -> None:
    """Check the chosen metric by an evaluation of the first batch, before anything is written.

    Args:
        dry_run: With the task that has it.
        own: What the task monitors by itself.

    Raises:
        UserError: Validation will report no such metric, or less of it is better and it has no
            minus, or the other way round.
    """
    task, runtime = dry_run.task, dry_run.runtime
    precision = Precision("fp32", runtime.device)
    means = evaluate(dry_run.model, task, dry_run.batches, precision, runtime, split="val")
    metrics = task.summarize(means)
    chosen, name = task.monitor, task.monitor.removeprefix("-")
    signs = {n: n if larger_is_better(f"val/{n}", own) else f"-{n}" for n in metrics}
    if name not in metrics:
        guess = closest_match(name, metrics)
        hint = f"; did you mean {signs[guess]}?" if guess else ""
        raise UserError(
            f"task.monitor={chosen}: validation reports no {name}{hint} (one of: "
            f"{', '.join(signs.values())})"
        )
    if chosen != signs[name]:
        better = "more" if signs[name] == name else "less"
        raise UserError(
            f"task.monitor={chosen}: {better} of {name} is better; set task.monitor={signs[name]}"
        )
