"""Train, validation and test splits: seeded, stratified, the same on every machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from zoo.data.dataset import TensorSource
from zoo.data.train_size import TrainSize
from zoo.errors import UserError

Indices = dict[str, Tensor]
T = TypeVar("T")


@dataclass(frozen=True)
class Split:
    """How samples are divided into train, val and test.

    Attributes:
        val_fraction: Fraction of all samples that select the model (early stopping, the best
            checkpoint); of the other samples where the test split is official or a fold.
        test_fraction: Fraction of all samples that evaluate it; without effect where the test
            split is official or a fold.
        split_seed: Seed of the split; it does not depend on the training seed.
        folds: Divide all samples, official test included, into this many folds
            (cross-validation).
        fold: The fold that is the test split, 0..folds-1.
        train_size: Train on only so many rows, `50`, or rows of each class, `5/class`; val and test
            stay as they are.
    """

    val_fraction: float = 0.1
    test_fraction: float = 0.2
    split_seed: int = 0
    folds: int | None = None
    fold: int | None = None
    train_size: int | str | None = None

    def __post_init__(self) -> None:
        for name in ("val_fraction", "test_fraction"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
                raise UserError(f"data.{name}={value}: expected a number between 0 and 1")
        if self.val_fraction + self.test_fraction >= 1:
            raise UserError(
                f"data.val_fraction={self.val_fraction} and data.test_fraction="
                f"{self.test_fraction} leave nothing to train on: expected a sum below 1"
            )
        for name in ("split_seed", "folds", "fold"):
            value = getattr(self, name)
            if not (isinstance(value, int) and not isinstance(value, bool)) and not (
                value is None and name != "split_seed"
            ):
                raise UserError(f"data.{name}={value}: expected a whole number")
        if not 0 <= self.split_seed < 2**63:
            raise UserError(f"data.split_seed={self.split_seed}: expected 0 or more, below 2**63")
        self._check_folds()
        if self.train_size is not None:
            TrainSize.parse(self.train_size)

    def _check_folds(self) -> None:
        if self.folds is None:
            if self.fold is not None:
                raise UserError(f"data.fold={self.fold} needs data.folds, e.g. data.folds=5")
            return
        if self.folds < 2:
            raise UserError(f"data.folds={self.folds}: expected 2 or more, or null")
        if self.fold is None:
            raise UserError(
                f"data.folds={self.folds} needs data.fold=0..{self.folds - 1}; all of them: "
                f"-m data.fold={','.join(str(i) for i in range(self.folds))}"
            )
        if not 0 <= self.fold < self.folds:
            raise UserError(
                f"data.fold={self.fold}: expected 0..{self.folds - 1} with data.folds={self.folds}"
            )

    def indices(
        self,
        classes: Tensor,
        fixed_test: Tensor | None = None,
        fixed_val: Tensor | None = None,
        allow_empty: bool = False,
        class_names: Sequence[str] | None = None,
    ) -> Indices:
        """Sample indices (int64, ascending) of "train", "val" and "test".

        Args:
            classes: Class of each sample, int64 (N,); all zeros where there are none.
            fixed_test: Indices of the official test split, where there is one; folds mix it in.
            fixed_val: Indices of the official validation split, where there is one.
            allow_empty: Accept an empty split, and fewer training rows than `train_size`.
            class_names: Names of the classes, where each sample has one.

        Raises:
            UserError: A split is empty, or there are fewer samples than folds or `train_size`.
        """
        generator = torch.Generator().manual_seed(self.split_seed)
        order = torch.randperm(len(classes), generator=generator)
        remaining = torch.ones(len(classes), dtype=torch.bool)
        fraction = self.val_fraction
        if self.folds is not None:
            test, fixed_val = self._kfold(classes, order), None
        elif fixed_test is not None:
            test = fixed_test
        else:
            if fixed_val is not None:
                remaining[fixed_val] = False
            test = stratified_sample(classes, order[remaining[order]], self.test_fraction)
            fraction = self.val_fraction / (1 - self.test_fraction)
        remaining[test] = False
        if fixed_val is None:
            val = stratified_sample(classes, order[remaining[order]], fraction)
        else:
            val = fixed_val
        remaining[val] = False
        train = remaining.nonzero()[:, 0]
        splits = {"train": train, "val": val.sort()[0], "test": test.sort()[0]}
        if not allow_empty:
            self._check_sizes(splits, len(classes))
        if self.train_size is not None:
            size = TrainSize.parse(self.train_size)
            splits["train"] = size.choose(train, order, classes, class_names, allow_empty)
        return splits

    def _kfold(self, classes: Tensor, order: Tensor) -> Tensor:
        """The samples of fold number `fold`: of the samples sorted by class, every folds-th."""
        assert self.folds is not None and self.fold is not None
        if self.folds > len(classes):
            raise UserError(
                f"data.folds={self.folds}: there are only {len(classes)} samples; expected at most "
                "as many folds as samples"
            )
        by_class = order[classes[order].sort(stable=True)[1]]
        return by_class[self.fold :: self.folds]

    def _check_sizes(self, splits: Indices, total: int) -> None:
        empty = [name for name, index in splits.items() if len(index) == 0]
        if empty:
            sizes = ", ".join(f"{name} {len(index)}" for name, index in splits.items())
            option = "data.val_fraction" if empty[0] == "val" else "data.test_fraction"
            fix = f"raise {option}" if empty[0] != "train" else "lower data.test_fraction"
            raise UserError(
                f"the {empty[0]} split is empty ({sizes}, of {total} samples); {fix} or give more "
                "samples"
            )


def stratified_sample(classes: Tensor, order: Tensor, fraction: float) -> Tensor:
    """About `fraction` of the samples in `order`, and of every class (largest remainder).

    A class of two or more gives at least one sample and keeps at least one; a class of one sample
    keeps it.

    Args:
        classes: Class of every sample, int64 (N,).
        order: The samples to draw from, shuffled, int64 (M,).
        fraction: How many of them, 0..1.
    """
    if len(order) == 0:
        return order
    by_class = order[classes[order].sort(stable=True)[1]]
    counts = torch.unique_consecutive(classes[by_class], return_counts=True)[1]
    quota = counts * fraction
    number = quota.floor().long().clamp(min=1).minimum(counts - 1)
    remaining = round(len(order) * fraction) - int(number.sum())
    for c in torch.argsort(quota - number, descending=True, stable=True).tolist():
        if remaining > 0 and number[c] < counts[c] - 1 and quota[c] > number[c]:
            number[c] += 1
            remaining -= 1
    starts = counts.cumsum(0) - counts
    pairs = zip(starts.tolist(), number.tolist(), strict=True)
    return torch.cat([by_class[start : start + n] for start, n in pairs])


def split_items(items: Sequence[T], split: Split, allow_empty: bool = False) -> dict[str, list[T]]:
    """Items without classes by split, in their own order within each.

    Raises:
        UserError: A split is empty.
    """
    classes = torch.zeros(len(items), dtype=torch.int64)
    index = split.indices(classes, allow_empty=allow_empty)
    return {name: [items[i] for i in rows.tolist()] for name, rows in index.items()}


def renumbered(splits: Indices) -> tuple[list[int], Indices]:
    """The samples of all splits, ascending, and the splits by their places among these."""
    kept = torch.cat(list(splits.values())).sort()[0]
    return kept.tolist(), {name: torch.searchsorted(kept, rows) for name, rows in splits.items()}


def split_columns(
    columns: Mapping[str, Tensor],
    index: Indices,
    add_all: bool,
    train: Mapping[str, Tensor] | None = None,
) -> dict[str, TensorSource]:
    """Sources of the splits, which are slices of one reordered copy of the columns.

    Args:
        columns: Of N samples each.
        index: The samples of each split.
        add_all: Whether to add the split "all": every sample, in the order of the columns.
        train: Columns that are other ones in the training split.
    """
    order = torch.cat(list(index.values()))
    ordered = {name: column[order] for name, column in columns.items()}
    sources, start = {}, 0
    for split, rows in index.items():
        stop = start + len(rows)
        sources[split] = TensorSource({name: c[start:stop] for name, c in ordered.items()})
        start = stop
    if train and "train" in sources:
        sources["train"] = TensorSource({**sources["train"].columns, **train})
    if add_all:
        sources["all"] = TensorSource(dict(columns))
    return sources
