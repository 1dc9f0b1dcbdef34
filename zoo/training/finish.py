"""The end of a run: the best weights evaluated on the test split, and result.json, always."""

import functools
import math
import operator
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from zoo.errors import UserError, closest_match
from zoo.kernels import used_kernels
from zoo.program import spelled
from zoo.tasks.capabilities import DrawsImages
from zoo.training.checkpoint import load_model
from zoo.training.console import duration, show
from zoo.training.evaluate import show_points
from zoo.training.judged import judged
from zoo.training.runtime import environment
from zoo.training.signals import spoken
from zoo.training.trainer import Trainer

Metrics = dict[str, dict[str, float]]
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
POINTS = 500  # samples of the test split for TensorBoard's projector
HIDDEN = ("lr", "grad_norm")


def parse_expectation(name: str, text: str) -> tuple[str, float]:
    """`">= 0.985"` as its comparison and number.

    Raises:
        UserError: Not of that form.
    """
    sign, _, number = str(text).strip().partition(" ")
    try:
        _COMPARE[sign]
        bound = float(number)
        if math.isfinite(bound):
            return sign, bound
        raise ValueError
    except (KeyError, ValueError):
        raise UserError(
            f"expect.{name}: got {text!r}, expected a comparison and a number, such as '>= 0.985'"
        ) from None


def evaluate_best(trainer: Trainer) -> tuple[Metrics, dict[str, Any]]:
    """Validation and test metrics of the best weights, and the details of the test split."""
    trainer.clock.stop()  # to test, to judge what is drawn and to draw is no training
    trainer.runtime.first(None)  # all wait until rank 0 has written the best weights
    step = trainer.step  # of the weights that are evaluated
    if trainer.best.step:
        saved = trainer.checkpoints.load("best", trainer.console.warn)
        if saved is not None:
            load_model(trainer.model, saved.tensors["model"], saved.path)
            trainer.ema, step = None, saved.step  # the best weights are averaged already
    metrics: Metrics = {"val": trainer.best.metrics}
    if not trainer.best.step:
        trainer.console.warn(
            f"no validation had a finite {trainer.task.monitor.removeprefix('-')}: these are the "
            f"last weights, and predict.py and evaluate.py need checkpoint=last"
        )
        _, metrics["val"] = trainer.evaluate("val")
    elif step != trainer.best.step:
        trainer.console.warn(
            f"the best weights, of step {trainer.best.step}, are lost: validation and test are of "
            f"those of step {step}"
        )
        _, metrics["val"] = trainer.evaluate("val")
    elif trainer.yardstick.lacks("val"):  # resumed at its end
        trainer.evaluate("val")
    totals, metrics["test"] = trainer.evaluate("test")
    parts = (trainer.loader, trainer.precision, trainer.runtime, trainer.signals.any)
    if found := judged(trainer.model, trainer.task, *parts):
        totals |= found
        metrics["test"] = trainer.yardstick.summarize("test", totals)
    if trainer.logger:
        trainer.logger.metrics(trainer.step, "test", metrics["test"])
    trainer.preview(totals, "test")
    if trainer.runtime.main:
        batch = next(trainer.loader.evaluation("test", POINTS))
        places = (trainer.run.path, trainer.runtime, trainer.console)
        show_points(trainer.model, trainer.task, batch, *places)
    return metrics, trainer.task.details(totals)


def check_expectations(
    expect: dict[str, str], metrics: Metrics, warn: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Each expectation next to the value reached.

    Args:
        expect: By metric.
        metrics: By split and name.
        warn: Called for an expectation that is not checked, as the run has no such metric: settings
            of the recipe's task or model may have changed.
    """
    flat = {f"{split}/{name}": v for split, row in metrics.items() for name, v in row.items()}
    outcome = {}
    for name, text in expect.items():
        sign, bound = parse_expectation(name, text)
        if name not in flat:
            hint = f"; did you mean '{guess}'?" if (guess := closest_match(name, flat)) else ""
            warn(f"expect.{name} is not checked: the run has no such metric{hint}")
            continue
        met = _COMPARE[sign](flat[name], bound)
        outcome[name] = {"expected": f"{sign} {bound:g}", "reached": flat[name], "met": met}
    return outcome


def count_parameters(model: nn.Module) -> int:
    """How many numbers a model consists of, those of frozen weights in few bits included."""
    packed = (getattr(module, "packed_numbers", 0) for module in model.modules())
    return sum(p.numel() for p in model.parameters()) + sum(packed)


def result(trainer: Trainer, identity: dict[str, Any], data: str, **outcome: Any) -> dict[str, Any]:
    """The content of result.json: enough to rank, group and repeat the run.

    Args:
        trainer: As training left it.
        identity: The run's experiment, name, seed and model.
        data: The dataset's name.
        **outcome: The status, metrics and what else the session adds.
    """
    best = {"step": trainer.best.step, **trainer.best.metrics} if trainer.best.step else None
    seconds = trainer.clock.seconds
    return {
        **outcome,
        **identity,
        "parameters": count_parameters(trainer.model),
        "trained": sum(p.numel() for p in trainer.parameters),
        "steps": trainer.step,
        "epochs": trainer.loader.epochs(trainer.step),
        "seconds": seconds,
        "rate": trainer.step * trainer.loader.batch_size / seconds if seconds else 0.0,
        "monitor": trainer.task.monitor,
        "best": best,
        "precision": trainer.precision.name,
        "device": str(trainer.runtime.device),
        "data": {
            "name": data,
            "sizes": trainer.loader.sizes,
            "sha256": trainer.data_sha256,
        },
        "environment": environment(trainer.runtime),
        "kernels": used_kernels(),
        "commit": commit(),
    }


@functools.cache
def commit() -> str | None:
    """The commit of the code when first asked, with `-dirty` where it was changed since; None
    outside git."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():  # installed, perhaps below somebody else's repository
        return None
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def print_stopped(trainer: Trainer, number: int, command: str) -> None:
    """Print what a signal stopped, what is saved, and the command that resumes the run.

    Args:
        trainer: As the signal left it, saved.
        number: Of the signal.
        command: That resumes the run.
    """
    saved = trainer.checkpoints.path("last", trainer.step).relative_to(trainer.run.path)
    if trainer.signalled is None:
        text = f" in the final evaluation; all training is saved in {saved}"
    else:
        text = f"; step {trainer.step:,} of {trainer.budget.max_steps:,} is saved in {saved}"
    trainer.console.line(f"\nstopped by {spoken(number)}{text}")
    trainer.console.command("resume    ", spelled(command))


def print_summary(
    trainer: Trainer,
    metrics: Metrics,
    outcome: dict[str, dict[str, Any]],
    baseline: dict[str, Any] | None,
    needed: list[str],
) -> None:
    """Print the closing table and the next commands, with the settings that this run needs."""
    console = trainer.console
    why = f" ({trainer.ended})" if trainer.ended else ""
    console.line(f"\ntrained {trainer.step} steps in {duration(trainer.clock.seconds)}{why}\n")
    trivial = baseline["test"] if baseline else {}
    rows: list[tuple[str, ...]] = [
        ("", "validation", "test", *([baseline["name"]] if baseline else []), "expected")
    ]
    for name in [n for n in metrics["test"] if n not in HIDDEN]:
        expected = [
            f"{met['expected']} {'met' if met['met'] else 'NOT MET'} ({split})"
            for split in ("val", "test")
            if (met := outcome.get(f"{split}/{name}"))
        ]
        cells = [show(metrics[s][name]) if name in metrics[s] else "" for s in ("val", "test")]
        cells += [show(trivial[name]) if name in trivial else ""] * bool(baseline)
        rows.append((name, *cells, ", ".join(expected)))
    console.table(rows)
    if baseline and baseline["beaten"] is False and not trainer.config.overfit:
        found = (trainer.best, trainer.step, trainer.rate.peak)
        console.line()
        console.warn(trainer.yardstick.shortfall(metrics, *found))
    run = shlex.join([f"run={trainer.run.path}", *needed])
    console.line(f"\nreport    {trainer.run.path / 'report.html'}")
    console.line(f"previews  {trainer.run.previews}")
    parent = shlex.quote(str(trainer.run.path.parent.parent))
    console.line("next")
    asked = "samples=20 out=drawn.png" if isinstance(trainer.task, DrawsImages) else "input=..."
    for command in (
        f"tensorboard --logdir {parent}",
        f"python evaluate.py {run}",
        f"python scripts/predict.py {run} {asked}",
    ):
        console.command("  ", spelled(command))
