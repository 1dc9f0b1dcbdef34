"""Predictions for samples: images, rows of tables, texts that have a class."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.phrases import part_of
from zoo.restore import Restored, Warn

BATCH = 256
STRANGE = {"image": 1.0, "table": 8.0}  # standard deviations from the training mean


def predict(restored: Restored, inputs: Sequence[Any], warn: Warn) -> Iterator[dict[str, Any]]:
    """One row per sample: `input` (its name) and the task's prediction.

    Args:
        restored: The run.
        inputs: Each an input of its encoding: an image file, a folder, a CSV file, a row, or what
            of Python the encoding takes.
        warn: Called with what is said of the inputs.

    Raises:
        UserError: Inputs that cannot be read.
    """
    names, stored, notes = restored.read(inputs)
    for note in notes:
        warn(note)
    kind, strange = restored.encoding.to_json()["kind"], 0
    for start in range(0, len(names), BATCH):
        stored_batch = {n: c[start : start + BATCH] for n, c in stored.items()}
        batch = restored.encoding.prepare(
            {n: column.to(restored.runtime.device) for n, column in stored_batch.items()}
        )
        strange += _strange(batch["input"], kind)
        with torch.no_grad(), restored.precision.autocast():
            rows = list(restored.task.predict(restored.model, batch))
        for name, row in zip(names[start : start + BATCH], rows, strict=True):
            yield {"input": name} | row
    if 2 * strange > len(names):
        warn(
            f"unlike the training data (much brighter, darker or larger): "
            f"{part_of(strange, len(names), 'input')}; check the units, and whether light and dark "
            f"are swapped"
        )


def _strange(samples: Tensor, kind: str) -> int:
    """How many samples lie far from what the model was trained on, by standardised values."""
    limit = STRANGE.get(kind)
    if limit is None:
        return 0
    flat = samples.float().flatten(1)
    size = flat.mean(1).abs() if kind == "image" else flat.abs().amax(1)
    return int((size > limit).sum())
