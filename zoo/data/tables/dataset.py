"""From columns by name to a `Dataset`: the part that all tables share."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset, fingerprint
from zoo.data.encoding import match_classes
from zoo.data.splits import Indices, split_columns
from zoo.data.tables.column import Raw
from zoo.data.tables.encoding import TableEncoding, Target
from zoo.data.tables.numbers import Notation
from zoo.data.tables.reading import Reading
from zoo.errors import UserError


def table_dataset(
    raw: Raw,
    target: Tensor,
    target_name: str,
    class_names: Sequence[str] | None,
    context: DataContext,
    delimiter: str | None = None,
    readings: Mapping[str, Reading] | None = None,
    notation: Notation | None = None,
) -> Dataset:
    """A dataset of table rows, encoded once and held in memory.

    Args:
        raw: Columns by name: float64 (N,) with NaN, or texts with None.
        target: Int64 (N,) class numbers, or float64 (N,) values.
        target_name: Name of the target.
        class_names: Name of each class; None for regression.
        context: The shared settings.
        delimiter: Of the CSV file, for `TableEncoding.read`.
        readings: How its columns of numbers are read, where not as plain numbers.
        notation: Of the target's numbers, likewise.

    Raises:
        UserError: A split is empty, or the run's encoding does not fit this table.
    """
    encoding = context.fitted(TableEncoding)
    classes = target if class_names is not None else torch.zeros(len(target), dtype=torch.int64)
    index = context.indices(classes)
    if encoding is None:
        fitted_target = _fit_target(target, target_name, class_names, index["train"])
        fitted_target = replace(fitted_target, notation=notation or Notation())
        encoding = TableEncoding.fit(raw, index["train"], fitted_target, delimiter, readings)
    rows, stored = encoding.encode(raw), encode_target(target, class_names, encoding.target)
    return Dataset(
        facts=_facts(encoding, stored, index),
        splits=split_columns({"input": rows, "target": stored}, index, add_all=not context.is_new),
        encoding=encoding,
        sha256=fingerprint([rows, stored]),
    )


def encode_target(target: Tensor, class_names: Sequence[str] | None, fitted: Target) -> Tensor:
    """Int64 (N,) in the run's class numbers, or float32 (N, 1) standardised as in the run."""
    kind = "regression" if class_names is None else "classification"
    if kind != fitted.kind:
        raise UserError(
            f"the data's target is for {kind}, the run was trained for {fitted.kind} of "
            f"'{fitted.name}'"
        )
    if class_names is not None:
        return torch.tensor(match_classes(class_names, fitted.class_names))[target]
    return ((target.double() - fitted.mean) / fitted.std).float()[:, None]


def _fit_target(
    target: Tensor, name: str, class_names: Sequence[str] | None, train: Tensor
) -> Target:
    if class_names is not None:
        return Target(name, "classification", tuple(class_names))
    values = target[train].double()
    mean, std = float(values.mean()), float(values.std(correction=0))
    if not math.isfinite(std):
        raise UserError(f"the target '{name}' has numbers too large to be standardised; scale it")
    if not std > 0:
        raise UserError(
            f"the target '{name}' is {mean:g} in every training row: there is nothing to learn"
        )
    return Target(name, "regression", mean=mean, std=std)


def _facts(encoding: TableEncoding, stored: Tensor, index: Indices) -> dict[str, Any]:
    names, target = encoding.feature_names, encoding.target
    facts: dict[str, Any] = {"input_shape": (len(names),), "feature_names": names}
    facts["feature_scales"] = [scale for column in encoding.columns for scale in column.scales]
    if target.kind == "regression":
        return facts | {"num_outputs": 1, "target_mean": target.mean, "target_std": target.std}
    number = len(target.class_names)
    return facts | {
        "num_classes": number,
        "num_outputs": number,
        "class_names": list(target.class_names),
        "class_counts": torch.bincount(stored[index["train"]], minlength=number).tolist(),
    }
