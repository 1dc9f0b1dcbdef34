"""Batches of samples, and the splits that yield them."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

Batch = dict[str, Tensor]  # named columns, whose first dimension counts the samples


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

    def widths(self, index: Tensor) -> dict[str, int]:
        """Columns that samples `index` (int64 (N,), on the CPU) need, by name. Known without a look
        at the samples, which may be on a GPU: it would be waited for."""
        ...


@runtime_checkable
class Bucketed(Protocol):
    """A split whose samples differ in length; those of similar length make a batch."""

    @property
    def bucket_key(self) -> Tensor:
        """Sort key of each sample, (size,)."""
        ...
