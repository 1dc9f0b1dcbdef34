"""A part of the training rows, `data.train_size`: what a model learns from few samples.

The part is stratified, follows from the seed of the split, and is nested: a smaller one lies within
a larger one of the same seed, so that a curve over sizes shows the size and not the draw.
Shapes: N samples, M of them for training.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoo.errors import UserError
from zoo.phrases import plural

FORM = re.compile(r"([1-9]\d*)(/class)?")


class TrainSize(NamedTuple):
    """How many rows: `50`, or `5/class`."""

    number: int
    per_class: bool

    def __str__(self) -> str:
        return f"{self.number}{'/class' * self.per_class}"

    @classmethod
    def parse(cls, value: Any) -> "TrainSize":
        """As it is written in a config.

        Raises:
            UserError: It is written in another way.
        """
        match = None if isinstance(value, bool) else FORM.fullmatch(str(value))
        if match is None:
            raise UserError(
                f"data.train_size={value}: expected a number of rows (50) or of rows of each class "
                f"(5/class), 1 or more; null takes all"
            )
        return cls(int(match[1]), match[2] is not None)

    def choose(
        self,
        train: Tensor,
        order: Tensor,
        classes: Tensor,
        class_names: Sequence[str] | None,
        allow_fewer: bool = False,
    ) -> Tensor:
        """The part of the training rows, int64, ascending.

        Args:
            train: All training rows, int64 (M,).
            order: All samples, shuffled, int64 (N,).
            classes: Of every sample, int64 (N,): what the part is stratified by.
            class_names: Their names; None where the target is no class.
            allow_fewer: Take what there is of a split, or of a class, that has fewer rows.

        Raises:
            UserError: There are fewer rows, or no classes.
        """
        if self.per_class and class_names is None:
            raise UserError(
                f"data.train_size={self}: a sample of this data has not one class; expected a "
                f"number of rows, e.g. data.train_size={10 * self.number}"
            )
        place = order.argsort()  # of each sample in the shuffled order
        shuffled = train[place[train].argsort()]
        by_class = shuffled[classes[shuffled].sort(stable=True)[1]]
        present, counts = torch.unique_consecutive(classes[by_class], return_counts=True)
        starts = (counts.cumsum(0) - counts).repeat_interleave(counts)
        rank = torch.arange(len(train)) - starts  # of each row within its class
        if not allow_fewer:
            self._check(present, counts, class_names)
        if self.per_class:
            return by_class[rank < self.number].sort()[0]
        # The first row of each class, of the largest class first; then as Webster and Sainte-Laguë
        # give seats: a size that grows takes none away.
        size = counts.repeat_interleave(counts).double()
        turn = torch.where(rank == 0, -size, (rank + 0.5) / size)
        return by_class[turn.argsort(stable=True)[: self.number]].sort()[0]

    def _check(self, present: Tensor, counts: Tensor, class_names: Sequence[str] | None) -> None:
        if not self.per_class and self.number > (total := int(counts.sum())):
            raise UserError(
                f"data.train_size={self}: the training split has {total:,} rows; expected 1 to "
                f"{total}, or null"
            )
        if self.per_class and self.number > (least := int(counts.min())):
            assert class_names is not None
            name = class_names[int(present[counts.argmin()])]
            raise UserError(
                f"data.train_size={self}: the training split has {plural(least, 'row')} of the "
                f"class '{name}'; expected at most {least}/class"
            )
