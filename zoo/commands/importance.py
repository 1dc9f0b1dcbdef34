"""Which columns of a table a trained model relies on: permutation importance.

Breiman, 2001, https://doi.org/10.1023/A:1010933404324, for forests; Fisher, Rudin and Dominici,
2019, arXiv:1801.01489, for any model. The rows of one column are shuffled, and the metric that
chose the best weights is computed again: what it loses is what the model got from that column.
All features of a column (its categories, the parts of a date, the mark of a gap) move together.
Shapes: N rows, D features.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.errors import UserError
from zoo.restore import Restored
from zoo.rng import mix_seed

SEED = 0
ALIKE = 0.8  # correlation from which two columns are said to share their importance
MOST_FEATURES = 2000  # whose correlations are computed
Evaluate = Callable[[Iterable[Batch]], dict[str, Tensor]]  # batches to means, as `summarize` takes


def importance(
    restored: Restored, batches: list[Batch], evaluate: Evaluate, repeats: int
) -> dict[str, Any]:
    """How much the monitored metric loses when each column is shuffled, as JSON.

    Args:
        restored: The run.
        batches: Of the split, prepared.
        evaluate: Evaluates the run's model.
        repeats: How often each column is shuffled; the same permutations serve all columns.

    Returns:
        The `metric` and its `value`, `repeats`, `columns` (`mean` and `deviation` of the drop by
        name, the largest first) and `alike`, pairs of columns that are correlated.

    Raises:
        UserError: The run is not of a table, or there is one row.
    """
    groups = _groups(restored)
    rows = torch.cat([batch["input"] for batch in batches])  # (N, D)
    if len(rows) < 2:
        raise UserError("importance=true shuffles rows: the split has but one")
    sign = -1.0 if restored.task.monitor.startswith("-") else 1.0
    metric = restored.task.monitor.removeprefix("-")

    def score(inputs: Tensor) -> float:
        parts = inputs.split([len(batch["input"]) for batch in batches])
        shuffled = [{**b, "input": part} for b, part in zip(batches, parts, strict=True)]
        return sign * restored.task.summarize(evaluate(shuffled))[metric]

    whole = score(rows)
    orders = [_permutation(len(rows), repeat).to(rows.device) for repeat in range(repeats)]
    columns = {}
    for name, features in groups.items():
        drops = torch.tensor([whole - score(_shuffled(rows, features, o)) for o in orders])
        columns[name] = {
            "mean": float(drops.mean()),
            "deviation": float(drops.std(correction=0)),
        }
    ranked = sorted(columns.items(), key=lambda item: -item[1]["mean"])
    return {
        "metric": metric,
        "value": sign * whole,
        "repeats": repeats,
        "columns": dict(ranked),
        "alike": _alike(rows, groups),
    }


def _groups(restored: Restored) -> dict[str, list[int]]:
    """The features that each column of the file became."""
    groups = getattr(restored.encoding, "feature_groups", None)
    if groups is None:
        raise UserError(
            f"importance=true is for tables; the run was trained on {restored.encoding.holds}, "
            "which have no columns"
        )
    return groups


def _permutation(number: int, repeat: int) -> Tensor:
    generator = torch.Generator().manual_seed(mix_seed(SEED, repeat))
    return torch.randperm(number, generator=generator)


def _shuffled(rows: Tensor, features: list[int], order: Tensor) -> Tensor:
    changed = rows.clone()
    changed[:, features] = rows[order][:, features]
    return changed


def _alike(rows: Tensor, groups: dict[str, list[int]]) -> list[list[str]]:
    """Pairs of columns of which a feature of one follows a feature of the other."""
    if rows.shape[1] > MOST_FEATURES:
        return []
    strong = rows.double().cpu().T.corrcoef().reshape(rows.shape[1], -1).abs() >= ALIKE  # (D, D)
    names = list(groups)
    return [
        [first, second]
        for i, first in enumerate(names)
        for second in names[i + 1 :]
        if bool(strong[groups[first]][:, groups[second]].any())
    ]
