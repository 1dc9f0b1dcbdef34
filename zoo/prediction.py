"""`python scripts/predict.py run=... input=...`: what a trained model says of new inputs."""

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zoo.cli import options, report
from zoo.errors import UserError
from zoo.evaluation import finite, modules, switch
from zoo.runs.directory import RunDirectory
from zoo.text_table import text_table

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.restore import Restored

USAGE = """\
python scripts/predict.py run=outputs/<name>/<date_time> input=... [checkpoint=] [top=] [json=true]

What a trained model says of new inputs.

run=         a run directory
input=       for models of images: an image file, or a folder of images; for models of tables: a
             CSV file with the columns of the training, or one row as name=value,name=value
checkpoint=  best (default), last, a step, or the name of a checkpoint
top=         classes to list for each input (default 3)
device=      auto (default), cpu, cuda, ...
json=true    print one JSON object a line, with every class's probability
plugins=     [modules] of your own to import first; those that the run names are not, unasked
"""
BATCH = 256
STRANGE = {"image": 1.0, "table": 8.0}  # standard deviations from the training mean


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report(lambda: _main(argv))


def _main(argv: list[str] | None) -> int:
    values, overrides = options(
        argv,
        USAGE,
        run=...,
        input=...,
        checkpoint="best",
        top="3",
        device="auto",
        json="false",
        plugins="[]",
    )
    if overrides:
        raise UserError(f"'{overrides[0]}': a model predicts as it was trained; give input= alone")
    as_json = switch(values, "json")
    if not values["top"].isdecimal() or int(values["top"]) < 1:
        raise UserError(f"top={values['top']}: expected a whole number above 0")
    RunDirectory.open(values["run"])  # a wrong path answers before torch is imported
    from zoo.restore import restore

    restored = restore(
        values["run"], values["checkpoint"], values["device"], modules(values["plugins"]), warn
    )
    rows = predict(restored, values["input"])
    if as_json:
        for row in rows:
            print(json.dumps(finite(row)))
    else:
        print(describe(list(rows), int(values["top"])))
    return 0


def warn(text: str) -> None:
    """To the standard error stream, so that JSON stays JSON."""
    print(f"warning: {text}", file=sys.stderr)


def predict(restored: "Restored", path: str) -> Iterator[dict[str, Any]]:
    """One row per input: `input` (its name) and what the task says.

    Args:
        restored: The run.
        path: What its encoding reads: an image file, a folder, a CSV file, a row.

    Raises:
        UserError: Inputs that cannot be read.
    """
    import torch

    names, stored = restored.encoding.read(path)
    kind, strange = restored.encoding.to_json()["kind"], 0
    for start in range(0, len(names), BATCH):
        part = {n: c[start : start + BATCH] for n, c in stored.items()}
        batch = restored.encoding.prepare(
            {n: column.to(restored.runtime.device) for n, column in part.items()}
        )
        strange += _strange(batch["input"], kind)
        with torch.no_grad(), restored.precision.autocast():
            rows = list(restored.task.predict(restored.model, batch))
        for name, row in zip(names[start : start + BATCH], rows, strict=True):
            yield {"input": name} | row
    if 2 * strange > len(names):
        warn(
            f"{strange} of {len(names)} inputs are unlike the training data (much brighter, darker "
            f"or larger): are they of the same kind, in the same units, as light or dark?"
        )


def _strange(samples: "Tensor", kind: str) -> int:
    """How many samples lie far from what the model was trained on, by standardised values."""
    limit = STRANGE.get(kind)
    if limit is None:
        return 0
    flat = samples.float().flatten(1)
    size = flat.mean(1).abs() if kind == "image" else flat.abs().amax(1)
    return int((size > limit).sum())


def describe(rows: list[dict[str, Any]], top: int) -> str:
    """Predictions as a table; classes with the next most probable beside them."""
    from zoo.training.console import show

    table = []
    for row in rows:
        cells = {name: value for name, value in row.items() if name != "probabilities"}
        if "probability" in cells:
            cells["probability"] = f"{cells['probability']:.1%}"
        if "probabilities" in row and top > 1:
            ranked = sorted(row["probabilities"].items(), key=lambda pair: -pair[1])[1:top]
            cells["then"] = ", ".join(f"{name} {p:.1%}" for name, p in ranked)
        table.append([show(v) if isinstance(v, float) else str(v) for v in cells.values()])
    return text_table([list(cells), *table])
