"""What a generative model draws, judged once at the end of a run, and by `evaluate.py`."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from zoo.tasks.base import Batch, Task
from zoo.tasks.capabilities import Judged
from zoo.training.evaluate import EVALUATION_SEED, Interrupted
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime, forked_rng

VALUES = 2**26  # of a split that are compared, spread over it: 67 million pixels


def judged(
    model: nn.Module,
    task: Task,
    loader: Any,
    precision: Precision,
    runtime: Runtime,
    interrupted: Callable[[], bool] = lambda: False,
    samples: int | None = None,
    features: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, Tensor]:
    """What the task finds of its drawings, to be added to the means of the test split; nothing if
    it does not draw.

    Rank 0 works alone, on the whole splits. Random numbers are seeded and forked, as in `evaluate`.

    Args:
        model, task, loader, precision, runtime: Of the run.
        interrupted: Asked between batches; not with several ranks.
        samples, features: As in `Judged.judge`.

    Raises:
        Interrupted: When `interrupted()` turns true.
    """
    if not isinstance(task, Judged):
        return {}
    found: dict[str, Tensor] | None = None
    training = model.training
    model.eval()
    try:
        if runtime.main:
            stops = interrupted if runtime.ranks == 1 else lambda: False
            train, test = (_batches(loader, split, stops) for split in ("train", "test"))
            with (
                torch.no_grad(),
                forked_rng(runtime.device, EVALUATION_SEED),
                precision.autocast(),
            ):
                found = task.judge(model, train, test, samples, features)
    finally:
        model.train(training)
    return runtime.first(found)


def _batches(loader: Any, split: str, interrupted: Callable[[], bool]) -> Iterator[Batch]:
    """Those of the whole split, of which every so many samples are taken where it is large."""
    first = next(loader.evaluation(split, 1, whole=True))
    values = sum(column.numel() for column in first.values())
    every = max(1, math.ceil(loader.sizes[split] * values / VALUES))
    for batch in loader.evaluation(split, None, every, whole=True):
        if interrupted():
            raise Interrupted
        yield batch
