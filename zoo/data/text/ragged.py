"""Rows of token ids of unequal length, kept without padding and padded batch by batch.

Shapes: N rows, B batch, T tokens of the longest row.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

Row = np.ndarray  # int32 (T,)
COLUMNS = 8  # of which padded lengths are multiples


class Ragged:
    """Rows of unequal length, one after another.

    Args:
        flat: All ids.
        starts: Where each row begins in `flat`, and its length: int64 (2, N).
        lengths: Tokens of each row, int64 (N,), on the CPU: to be read without waiting for a GPU.
    """

    def __init__(self, flat: Tensor, starts: Tensor, lengths: Tensor) -> None:
        self.flat, self.starts, self.lengths = flat, starts, lengths

    @classmethod
    def of(cls, rows: Sequence[Row], dtype: torch.dtype) -> "Ragged":
        """From one array a row."""
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        flat = torch.from_numpy(np.concatenate([*rows, np.zeros(0, np.int32)])).to(dtype)
        return cls(flat, torch.stack([lengths.cumsum(0) - lengths, lengths]), lengths)

    @property
    def nbytes(self) -> int:
        """Bytes that the rows take."""
        return self.flat.nbytes + self.starts.nbytes

    def rows(self, index: Tensor, pad_id: int = 0) -> Tensor:
        """The rows at `index` (B,), padded to the longest of them: (B, T)."""
        starts, lengths = self.starts[:, index.to(self.flat.device, non_blocking=True)]
        column = torch.arange(self.width(index), device=self.flat.device)
        inside = column < lengths[:, None]  # (B, T)
        ids = self.flat[torch.where(inside, starts[:, None] + column, 0)]
        return torch.where(inside, ids, pad_id)

    def width(self, index: Tensor) -> int:
        """Tokens of the longest of the rows at `index`."""
        return int(self.lengths[index].max())

    def columns(self, index: Tensor, targets: int = 0) -> int:
        """The same rounded up to a multiple of 8, so that sizes recur (zoo/kernels/padding.py).

        Args:
            index: int64 (B,).
            targets: Tokens at the end that a model does not read: they come on top.
        """
        return -(-(self.width(index) - targets) // COLUMNS) * COLUMNS + targets

    def to(self, device: torch.device) -> "Ragged":
        """The same rows on another device."""
        return Ragged(self.flat.to(device), self.starts.to(device), self.lengths)


def id_dtype(vocab_size: int) -> torch.dtype:
    """The smallest signed integers that hold all ids."""
    return torch.int16 if vocab_size < 2**15 else torch.int32


def padded(rows: Sequence[Row], pad_id: int) -> Tensor:
    """Int64 (N, T), padded on the right to the longest."""
    batch = torch.full((len(rows), max(map(len, rows))), pad_id)
    for target, ids in zip(batch, rows, strict=True):
        target[: len(ids)] = torch.from_numpy(ids)
    return batch
