"""Sentence vectors: texts as vectors, of which near ones mean alike.

Reimers and Gurevych, 2019, Sentence-BERT, https://arxiv.org/abs/1908.10084: the mean over the
vectors of a text's tokens, or that of its first token `[CLS]`.
Shapes: N texts, B batch, T tokens of the longest, D width.
"""

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

Pool = Literal["mean", "cls"]
BATCH = 32


@runtime_checkable
class HasTokenVectors(Protocol):
    """A model that gives a vector for each token, which depends on all of them."""

    def token_vectors(self, tokens: Tensor, visible: Tensor) -> Tensor:
        """Of int64 (B, T), of which those are read that `visible` (B, T) says: (B, T, D)."""


def sentence_vectors(
    model: HasTokenVectors, rows: Sequence[Sequence[int]], pool: Pool, device: torch.device
) -> Tensor:
    """The vector of each text, (N, D), on the CPU.

    Texts of similar length share a batch; what a batch is padded with changes nothing.

    Args:
        model: In evaluation mode.
        rows: Token ids of each text, at least one.
        pool: Mean over the tokens, or the first token.
        device: Of the model.
    """
    order = sorted(range(len(rows)), key=lambda k: len(rows[k]))
    vectors: list[Tensor] = [torch.empty(0)] * len(rows)
    for start in range(0, len(rows), BATCH):
        numbers = order[start : start + BATCH]
        tokens, visible = (x.to(device) for x in _padded([rows[k] for k in numbers]))
        x = model.token_vectors(tokens, visible)  # (B, T, D)
        if pool == "cls":
            pooled = x[:, 0]
        else:
            weights = visible.to(x.dtype)[..., None]  # (B, T, 1)
            pooled = (x * weights).sum(1) / weights.sum(1)
        for k, vector in zip(numbers, pooled.cpu(), strict=True):
            vectors[k] = vector
    return torch.stack(vectors)


def _padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Ids (B, T) and which of them there are."""
    tokens = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
    visible = torch.zeros(tokens.shape, dtype=torch.bool)
    for k, row in enumerate(rows):
        tokens[k, : len(row)] = torch.tensor(row)
        visible[k, : len(row)] = True
    return tokens, visible


def cosines(vectors: Tensor) -> Tensor:
    """Of the first vector with each, (N,), from -1 to 1."""
    return F.cosine_similarity(vectors, vectors[:1], dim=1)
