"""From columns by name to a `Dataset`: the part that all tables share."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset, TensorSource, fingerprint
from zoo.data.encoding import match_classes
from zoo.data.labels import label_facts, note_labels, rarest
from zoo.data.splits import split_columns
from zoo.data.tables.column import Raw, is_constant
from zoo.data.tables.encoding import PLAIN_FORM, FileForm, TableEncoding, Target
from zoo.data.tables.numbers import Notation
from zoo.errors import UserError

CHUNK = 4096  # rows at a time
FEW_REPEATED = 0.05  # of the held-out rows, of which less is not worth a note


def table_dataset(
    raw: Raw,
    target: Tensor,
    target_name: str | Sequence[str],
    class_names: Sequence[str] | None,
    context: DataContext,
    form: FileForm = PLAIN_FORM,
) -> Dataset:
    """A dataset of table rows, encoded once and held in memory.

    Args:
        raw: Columns by name: float64 (N,) with NaN, or texts with None.
        target: Int64 (N,) class numbers, or float64 (N,) values, (N, O) of several targets; with
            `class_names`, (N, K) says by 0 and 1 which of K labels a row has.
        target_name: Name of the target; O names of several.
        class_names: Name of each class, or label; None for regression.
        context: The shared settings.
        form: How its file is read, for `TableEncoding.read`.

    Raises:
        UserError: A split is empty, or the run's encoding does not fit this table.
    """
    encoding = context.fitted(TableEncoding)
    of_classes = class_names if target.dim() == 1 else None
    index = context.indices(_strata(target, class_names), class_names=of_classes)
    if encoding is None:
        names = [target_name] if isinstance(target_name, str) else list(target_name)
        targets = _fit_targets(target, names, class_names, index["train"], form)
        encoding = TableEncoding.fit(raw, index["train"], targets, form)
    rows, stored = encoding.encode(raw), encode_target(target, class_names, encoding.targets)
    columns = {"input": rows, "target": stored}
    number = len(encoding.target.class_names) if of_classes else None
    train_targets = context.train_targets(stored, index["train"], number)
    is_labels = encoding.target.kind == "multi_label" and context.is_new
    return Dataset(
        facts=_facts(encoding, train_targets),
        splits=split_columns(columns, index, not context.is_new, {"target": train_targets}),
        encoding=encoding,
        sha256=fingerprint([rows, stored]),
        notes=note_labels(class_names or (), stored, index["train"]) if is_labels else [],
    )


def note_repeated(splits: Mapping[str, TensorSource]) -> list[str]:
    """A note where rows of val or test are also in train, target included, as in a table whose rare
    rows were copied before it is split. A few are chance, where columns have few values.

    Args:
        splits: Of a new run.
    """
    known, val, test = (
        np.fromiter(_row_hashes(splits[name]), np.int64) for name in ("train", "val", "test")
    )
    is_known = np.isin(np.concatenate([val, test]), known)
    if is_known.mean() < FEW_REPEATED:
        return []
    return [
        f"{is_known.sum():,} of {len(is_known):,} rows of the val and test splits are also in the "
        f"train split, which makes their scores better"
    ]


def _row_hashes(source: TensorSource) -> Iterator[int]:
    rows, target = source.columns["input"], source.columns["target"].reshape(len(source), -1)
    for part in zip(rows.split(CHUNK), target.split(CHUNK), strict=True):
        yield from (hash(row.tobytes()) for row in torch.cat([x.float() for x in part], 1).numpy())


def _strata(target: Tensor, class_names: Sequence[str] | None) -> Tensor:
    """What splits are stratified by, int64 (N,)."""
    if class_names is None:
        return torch.zeros(len(target), dtype=torch.int64)
    return target if target.dim() == 1 else rarest(target)


def encode_target(
    target: Tensor, class_names: Sequence[str] | None, fitted: Sequence[Target]
) -> Tensor:
    """Int64 (N,) in the run's class numbers, float32 (N, O) standardised as in the run, or 0 and 1
    for its labels (N, K)."""
    kind = _kind(target, class_names)
    if kind != fitted[0].kind:
        raise UserError(
            f"the data's target is for {kind}, the run was trained for {fitted[0].kind} of "
            f"'{fitted[0].name}'"
        )
    if kind == "multi_label":
        return target.float()
    if class_names is not None:
        return torch.tensor(match_classes(class_names, fitted[0].class_names))[target]
    scales = torch.tensor([[t.mean, t.std] for t in fitted], dtype=torch.float64)  # (O, 2)
    values = target.double().reshape(len(target), -1)  # (N, O)
    return ((values - scales[:, 0]) / scales[:, 1]).float()


def _fit_targets(
    target: Tensor,
    names: Sequence[str],
    class_names: Sequence[str] | None,
    train: Tensor,
    form: FileForm,
) -> list[Target]:
    if class_names is not None:
        kind = _kind(target, class_names)
        name = names[0] if len(names) == 1 else ", ".join(names)
        return [Target(name, kind, tuple(class_names), separator=form.separator)]
    columns = target[train].double().reshape(len(train), -1).unbind(1)
    how = form.notations or [Notation()] * len(names)
    return [_fit_number(*parts) for parts in zip(names, columns, how, strict=True)]


def _kind(target: Tensor, class_names: Sequence[str] | None) -> str:
    if class_names is None:
        return "regression"
    return "classification" if target.dim() == 1 else "multi_label"


def _fit_number(name: str, values: Tensor, notation: Notation) -> Target:
    mean, std = float(values.mean()), float(values.std(correction=0))
    if not math.isfinite(std):
        raise UserError(f"the target '{name}' has numbers too large to be standardised; scale it")
    if is_constant(mean, std):
        raise UserError(
            f"the target '{name}' is {mean:g} in every training row: there is nothing to learn"
        )
    return Target(name, "regression", mean=mean, std=std, notation=notation)


def _facts(encoding: TableEncoding, train: Tensor) -> dict[str, Any]:
    names, target = encoding.feature_names, encoding.target
    facts: dict[str, Any] = {"input_shape": (len(names),), "feature_names": names}
    facts["feature_scales"] = [scale for column in encoding.columns for scale in column.scales]
    if target.kind == "regression":
        return facts | _facts_of_numbers(encoding.targets)
    if target.kind == "multi_label":
        return facts | label_facts(target.class_names, train)
    number = len(target.class_names)
    return facts | {
        "num_classes": number,
        "num_outputs": number,
        "class_names": list(target.class_names),
        "class_counts": torch.bincount(train, minlength=number).tolist(),
    }


def _facts_of_numbers(targets: Sequence[Target]) -> dict[str, Any]:
    if len(targets) == 1:
        return {"num_outputs": 1, "target_mean": targets[0].mean, "target_std": targets[0].std}
    return {
        "num_outputs": len(targets),
        "target_names": [target.name for target in targets],
        "target_mean": [target.mean for target in targets],
        "target_std": [target.std for target in targets],
    }
