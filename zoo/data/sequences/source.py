"""From questions to a dataset of sequences of unequal length.

Shapes: N sequences, B batch, T steps of the longest, C input values, b bits.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset, fingerprint
from zoo.data.sequences.encoding import BitEncoding
from zoo.data.sequences.questions import Question
from zoo.errors import UserError


class BitSource:
    """The sequences of one split, one after another.

    Args:
        columns: `input` (S, C), `target` (S, b) and `scored` (S,) of all S steps.
        starts: Where each sequence begins, and its length: int64 (2, N).
        lengths: Steps of each, int64 (N,), on the CPU.
    """

    def __init__(self, columns: Batch, starts: Tensor, lengths: Tensor) -> None:
        self.columns, self.starts, self.lengths = columns, starts, lengths
        self.nbytes = sum(column.nbytes for column in columns.values()) + starts.nbytes

    @classmethod
    def of(cls, questions: Sequence[Question]) -> "BitSource":
        """From arrays."""
        lengths = torch.tensor([len(question.scored) for question in questions])
        columns = {
            name: torch.from_numpy(np.concatenate([getattr(q, name) for q in questions]))
            for name in Question._fields
        }
        return cls(columns, torch.stack([lengths.cumsum(0) - lengths, lengths]), lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def bucket_key(self) -> Tensor:
        """Steps of each sequence, (N,)."""
        return self.lengths

    def trimmed(self, batch: Batch, index: Tensor) -> Batch:
        """A batch of sequences `index` without what is padding in all of them."""
        width = int(self.lengths[index].max())
        return batch | {name: batch[name][:, :width] for name in self.columns}

    def fetch(self, index: Tensor, epoch: Tensor | None = None) -> Batch:
        """Sequences `index` (B,): `input` (B, T, C), `target` (B, T, b), `scored` (B, T), false in
        the padding."""
        width = int(self.lengths[index].max())
        starts, lengths = self.starts[:, index.to(self.starts.device, non_blocking=True)]
        column = torch.arange(width, device=starts.device)
        inside = column < lengths[:, None]  # (B, T)
        place = torch.where(inside, starts[:, None] + column, 0)
        batch = {name: values[place] for name, values in self.columns.items()}
        batch["scored"] &= inside
        batch["input"] *= inside[..., None]
        return batch

    def to(self, device: torch.device) -> "BitSource":
        """The same sequences on another device."""
        columns = {name: column.to(device) for name, column in self.columns.items()}
        return BitSource(columns, self.starts.to(device), self.lengths)


def bit_dataset(
    encoding: BitEncoding, questions: Mapping[str, Sequence[Question]], context: DataContext
) -> Dataset:
    """A dataset of questions by split.

    Args:
        encoding: Theirs.
        questions: Of each split.
        context: The shared settings.

    Raises:
        UserError: The run that is evaluated has questions of another form.
    """
    trained = context.fitted(BitEncoding) or encoding
    if (trained.form, trained.bits) != (encoding.form, encoding.bits):
        raise UserError(
            f"the run was trained on data={trained.form} of {trained.bits} bits, this is "
            f"data={encoding.form} of {encoding.bits}; take data={trained.form} "
            f"data.bits={trained.bits}"
        )
    splits: dict[str, Any] = {n: BitSource.of(split) for n, split in questions.items() if split}
    columns = [column for source in splits.values() for column in source.columns.values()]
    sha256 = fingerprint(columns)
    if not context.is_new:
        every = [q for name in ("train", "val", "test") for q in questions[name]]
        splits["all"] = BitSource.of(every)
    return Dataset(trained.facts(), splits, trained, sha256)
