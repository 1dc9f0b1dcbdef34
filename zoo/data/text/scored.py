"""Rows of token ids of which some are scored, one conversation a row or several.

Shapes: N rows, B batch, T tokens of the batch's longest.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.text.ragged import Ragged, Row

ScoredRow = tuple[Row, np.ndarray]  # ids int32 (T,); bool (T,), whether the token is scored


class ScoredSource:
    """The rows of one split.

    Args:
        rows: Their ids.
        scored: Whether each token is scored, bool, as long as all rows together.
        pad_id: The id that pads shorter rows.
        documents: Where several documents share a row, the number of each token's, int16, as long.
    """

    def __init__(
        self, rows: Ragged, scored: Tensor, pad_id: int, documents: Tensor | None = None
    ) -> None:
        self.rows, self.scored, self.pad_id, self.documents = rows, scored, pad_id, documents
        self.nbytes = rows.nbytes + scored.nbytes
        if documents is not None:
            self.nbytes += documents.nbytes

    @classmethod
    def of(cls, rows: Sequence[ScoredRow], pad_id: int) -> "ScoredSource":
        """From arrays, a row each."""
        return cls(Ragged.of([ids for ids, _ in rows], torch.int32), _flat(rows), pad_id)

    @classmethod
    def packed(cls, rows: Sequence[ScoredRow], pad_id: int, width: int) -> "ScoredSource":
        """Several short ones in each row of at most `width` tokens."""
        packs = pack([len(ids) for ids, _ in rows], width)
        ids = [np.concatenate([rows[i][0] for i in pack]) for pack in packs]
        ordered = [rows[i] for pack in packs for i in pack]
        numbers = [np.full(len(rows[i][0]), n, np.int16) for p in packs for n, i in enumerate(p)]
        documents = torch.from_numpy(np.concatenate([*numbers, np.zeros(0, np.int16)]))
        return cls(Ragged.of(ids, torch.int32), _flat(ordered), pad_id, documents)

    def __len__(self) -> int:
        return len(self.rows.lengths)

    @property
    def num_tokens(self) -> int:
        """Tokens of the split, prompts included."""
        return len(self.rows.flat)

    @property
    def bucket_key(self) -> Tensor:
        """Tokens of each row, (N,)."""
        return self.rows.lengths

    def fetch(self, index: Tensor, epoch: Tensor | None = None) -> Batch:
        """The rows at `index` (B,): `input` (B, T); `scored` (B, T - 1), whether the token after
        each position is scored; of packed rows `documents` (B, T), the padding one of its own."""
        batch = {"input": self.rows.rows(index, self.pad_id)}
        batch["scored"] = self._beside(self.scored).rows(index, False)[:, 1:]
        if self.documents is not None:
            batch["documents"] = self._beside(self.documents).rows(index, -1)
        return batch

    def trimmed(self, batch: Batch, index: Tensor) -> Batch:
        """A batch of the rows at `index` without what is padding in all of them."""
        width = self.rows.columns(index, targets=1)
        widths = {"input": width, "scored": width - 1, "documents": width}
        return {name: column[:, : widths[name]] for name, column in batch.items()}

    def _beside(self, flat: Tensor) -> Ragged:
        return Ragged(flat, self.rows.starts, self.rows.lengths)

    def to(self, device: torch.device) -> "ScoredSource":
        """The same rows on another device."""
        documents = None if self.documents is None else self.documents.to(device)
        return ScoredSource(self.rows.to(device), self.scored.to(device), self.pad_id, documents)


def _flat(rows: Sequence[ScoredRow]) -> Tensor:
    return torch.from_numpy(np.concatenate([*(scored for _, scored in rows), np.zeros(0, bool)]))


def pack(lengths: Sequence[int], width: int) -> list[list[int]]:
    """Which documents share a row: the longest first, each into the row that it fills up best.

    Best-fit decreasing; of language models: Ding et al., 2024, https://arxiv.org/abs/2404.10830.

    Args:
        lengths: Of the documents, at most `width` each.
        width: Of a row.

    Returns:
        Numbers of documents, a list a row; rows in the order of their first documents.
    """
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []  # what is left of a row, and its number; ascending
    for document in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        place = bisect_left(room, (lengths[document], -1))
        if place == len(room):
            rows.append([document])
            left, number = width - lengths[document], len(rows) - 1
        else:
            left, number = room.pop(place)
            rows[number].append(document)
            left -= lengths[document]
        insort(room, (left, number))
    return sorted(map(sorted, rows))
