"""Batches of samples, and the splits that yield them."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

Batch = dict[str, Tensor]  # named columns, whose first dimension counts the samples


def spread(size: int, most: int | None) -> Tensor:
    """At most so many of `size` sample numbers, int64, ascending; all where `most` is None.

    One out of each of `most` equal parts, at a random place: at equal distances they might all
    be of one class, where classes take turns. Always the same.
    """
    if most is None or size <= most:
        return torch.arange(size)
    starts = torch.arange(most + 1) * size // most
    chance = torch.rand(most, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return starts[:-1] + (chance * starts.diff()).long()


@runtime_checkable
class BatchSource(Protocol):
    """A split that gives many samples at once; others give them one by one, to workers."""

    def __len__(self) -> int: ...

    def fetch(self, index: Tensor, epoch: Tensor) -> Batch:
        """Samples `index` (int64 (N,)) in their stored form, as seen in `epoch` (int64 (N,))."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes that the samples take on a device."""
        ...

    def to(self, device: torch.device) -> "BatchSource":
        """The same samples on another device."""
        ...


@runtime_checkable
class Padded(Protocol):
    """A split of sequences that are padded to the longest of those that are fetched together."""

    def trimmed(self, batch: Batch, index: Tensor) -> Batch:
        """A batch of samples `index` (int64 (N,), on the CPU) without what is padding in all of
        them. Told without a look at the samples, which may be on a GPU: it would be waited for."""
        ...


@runtime_checkable
class Bucketed(Protocol):
    """A split whose samples differ in length; those of similar length make a batch."""

    @property
    def bucket_key(self) -> Tensor:
        """Sort key of each sample, (size,)."""
        ...
