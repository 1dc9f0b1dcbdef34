"""Scores of word vectors and the loss of negative sampling.

Mikolov et al., 2013, https://arxiv.org/abs/1310.4546, equation 4.
Shapes: G groups, N vectors (or C centre words) and M contexts of each, D width, R columns of a
band, S negative samples.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.kernels.registry import Arguments, kernel


def _score_examples() -> Iterator[Arguments]:
    for groups, vectors, contexts, width in ((2, 3, 5, 4), (9, 16, 32, 20)):
        yield tuple(
            torch.randn(groups, rows, width, dtype=torch.float64).requires_grad_()
            for rows in (vectors, contexts)
        )


def _loss_examples() -> Iterator[Arguments]:
    for width in (1, 3, 5):
        scores = torch.randn(2, 4, 4 + width - 1 + 2, dtype=torch.float64).requires_grad_()
        positives, negatives = (torch.rand(2, 4, n, dtype=torch.float64) for n in (width, 1))
        positives[0, 0] = negatives[0, 0] = 0
        yield scores, positives, negatives


@kernel(examples=_score_examples)
def batched_scores(vectors: Tensor, contexts: Tensor) -> Tensor:
    """Products of every vector with every context: (G, N, D), (G, M, D) to (G, N, M)."""
    return vectors @ contexts.mT


@kernel(examples=_loss_examples)
def banded_logistic_loss(scores: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """Weighted sum of -log sigmoid(score) over positive pairs and of -log sigmoid(-score) over
    negative ones, in float32 at least.

    Args:
        scores: (G, C, C + R - 1 + S).
        positives: Weights (G, C, R) of columns c to c + R - 1 of each row c.
        negatives: Weight (G, C, 1) of each of the last S columns.
    """
    width = positives.shape[2]
    size = scores.shape[2] - (scores.shape[1] + width - 1)  # S
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    loss = F.logsigmoid(band(scores, width)) * positives
    return -(loss.sum() + (F.logsigmoid(-scores[..., -size:]) * negatives).sum())


def band(matrices: Tensor, width: int) -> Tensor:
    """Of row c of each of matrices (G, C, N) the columns from c to c + width - 1: a view."""
    group, row, column = matrices.stride()
    return matrices.as_strided((*matrices.shape[:2], width), (group, row + column, column))
