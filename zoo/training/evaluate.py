"""Evaluation: sums over a split, divided once."""

import contextlib
import errno
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.runs.projector import write_points
from zoo.tasks.base import (
    Batch,
    CountsPredictions,
    HasTestStep,
    PreviewWriter,
    SplitMetrics,
    Task,
    to_float64,
)
from zoo.tasks.capabilities import HasFilm, HasPoints
from zoo.training.console import Console
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime, forked_rng

EVALUATION_SEED = 0
PREVIEW_SAMPLES = 1000


class Interrupted(Exception):
    """A signal came during an evaluation."""


def evaluate(
    model: nn.Module,
    task: Task,
    batches: Iterable[Batch],
    precision: Precision,
    runtime: Runtime,
    interrupted: Callable[[], bool] = lambda: False,
    final: bool = False,
    split: str = "",
    report: Callable[[str], None] = lambda text: None,
) -> dict[str, Tensor]:
    """The means of loss and metric sums over all batches of all ranks, float64 on the CPU; and the
    task's metrics of the whole split, if it has any (`SplitMetrics`).

    Seeds and forks the random numbers, so that it repeats exactly and does not affect training;
    each rank has a seed of its own, as it has other samples. `final`, for the test split and other
    data, takes the task's `test_step`, if it has one. `split` is the name for error messages.
    `report` is called where the loss is not finite, with its value and the samples to blame.

    Raises:
        UserError: There is nothing to predict.
        Interrupted: When `interrupted()` turns true; with several ranks it is not called.
    """
    step = task.test_step if final and isinstance(task, HasTestStep) else task.step
    training = model.training
    model.eval()
    totals: dict[str, Tensor] = {}
    rows: dict[str, list[Tensor]] = {}
    losses: list[tuple[int, Tensor]] = []  # of each batch, with its number of samples
    try:
        with torch.no_grad(), forked_rng(runtime.device, EVALUATION_SEED + runtime.rank):
            for batch in batches:
                if runtime.ranks == 1 and interrupted():
                    raise Interrupted
                with precision.autocast():
                    output = step(model, batch)
                sums = {"loss": output.loss_sum} | output.sums | {"count": output.count}
                for name, value in sums.items():
                    totals[name] = totals.get(name, 0) + to_float64(value)
                losses.append((len(next(iter(batch.values()))), output.loss_sum))
                for name, values in output.rows.items():
                    rows.setdefault(name, []).append(values.cpu())
    finally:
        model.train(training)
    ranks = runtime.gather({name: value.cpu() for name, value in totals.items()})
    if not any(sums["count"] > 0 for sums in ranks if sums):
        raise UserError(
            f"there is nothing to predict in the {split or 'given'} split: the task counts no "
            "prediction in any of its batches, so it has no loss; give it other data"
        )
    averages = means(ranks)
    if not averages["loss"].isfinite():  # on every rank, as it is the same on all
        report(_what_is_not_finite(averages["loss"], losses, runtime))
    if isinstance(task, SplitMetrics):
        averages |= task.split_metrics(_gathered(rows, runtime))
    return averages


def _what_is_not_finite(mean: Tensor, losses: list[tuple[int, Tensor]], runtime: Runtime) -> str:
    """`nan, first in samples 97 to 128 of it`, in the order of the split."""
    start = 1
    for rank in runtime.gather([(size, bool(loss.isfinite())) for size, loss in losses]):
        for size, is_finite in rank:
            if not is_finite:
                return f"{mean.item()}, first in samples {start} to {start + size - 1} of it"
            start += size
    return str(mean.item())  # finite sums whose total is too large


def _gathered(rows: dict[str, list[Tensor]], runtime: Runtime) -> dict[str, Tensor]:
    """The rows of all batches of all ranks, which have consecutive parts of the split."""
    ranks = runtime.gather({name: torch.cat(batches) for name, batches in rows.items()})
    names = dict.fromkeys(name for rank in ranks for name in rank)  # a rank may have no sample
    return {name: torch.cat([rank[name] for rank in ranks if name in rank]) for name in names}


def means(ranks: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Sums of several ranks, added in their order and divided by the count, which stays."""
    totals: dict[str, Tensor] = {}
    for sums in ranks:
        for name, value in sums.items():
            totals[name] = totals.get(name, 0) + value.double()
    count = totals.pop("count")
    return {name: value / count for name, value in totals.items()} | {"count": count}


def check_predictions(task: Task, loader: Any, runtime: Runtime) -> None:
    """Check, before training, that each split holds something to predict.

    Raises:
        UserError: One does not.
    """
    if not isinstance(task, CountsPredictions):
        return
    for split in ("train", "val", "test"):
        with forked_rng(runtime.device, EVALUATION_SEED):
            found = any(bool(task.count(batch) > 0) for batch in loader.evaluation(split))
        if not any(runtime.gather(found)):
            raise UserError(f"the {split} split has nothing to predict: {task.why_none}")


def preview(
    model: nn.Module,
    task: Task,
    batch: Batch,
    totals: dict[str, Tensor],
    writer: PreviewWriter,
    runtime: Runtime,
    console: Console,
    film: bool = False,
) -> None:
    """Let the task write its previews, or only a frame of its film, without effect on training: a
    failure is a warning."""
    draw = task.film if film and isinstance(task, HasFilm) else task.preview
    with harmless(model, runtime, console):
        draw(model, batch, totals, writer)


def show_points(
    model: nn.Module, task: Task, batch: Batch, run: Path, runtime: Runtime, console: Console
) -> None:
    """Write what TensorBoard's projector shows, if the task has points; a failure is a warning."""
    if isinstance(task, HasPoints):
        with harmless(model, runtime, console):
            points = task.points(model, batch)
            if points is not None:
                write_points(run, *points)


@contextlib.contextmanager
def harmless(
    model: nn.Module, runtime: Runtime, console: Console, what: str = "a preview"
) -> Iterator[None]:
    """Evaluation mode, random numbers of its own, and a warning in place of an error.

    A full disk is an error here as it is elsewhere.
    """
    training = model.training
    model.eval()
    try:
        with (
            torch.no_grad(),
            forked_rng(runtime.device, EVALUATION_SEED),
            warnings.catch_warnings(record=True) as caught,
        ):
            yield
        for text in dict.fromkeys(str(w.message) for w in caught if w.category is UserWarning):
            console.warn_once(text)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        reason = " ".join(str(error).split())[:200]
        console.warn_once(f"{what} was not drawn ({type(error).__name__}: {reason})")
    finally:
        model.train(training)
