"""Nearest vectors by cosine, analogies (king - man + woman), and a projection onto a plane.

Analogies by sums of normalised vectors: Mikolov, Yih and Zweig, 2013,
https://aclanthology.org/N13-1090.
Shapes: V vectors, D width, Q queries, K neighbours.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def combine(vectors: Tensor, terms: Sequence[tuple[float, int]]) -> Tensor:
    """Return a weighted sum of normalised vectors, (D,).

    Args:
        vectors: (V, D).
        terms: Weight and index of each vector: [(1, king), (-1, man), (1, woman)].
    """
    weights = torch.tensor([weight for weight, _ in terms], device=vectors.device)
    indices = torch.tensor([index for _, index in terms], device=vectors.device)
    return weights.to(vectors.dtype) @ F.normalize(vectors[indices], dim=1)


def nearest(
    vectors: Tensor, queries: Tensor, top: int, exclude: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Find the vectors with the largest cosine to each query.

    Args:
        vectors: (V, D). A vector of zeros has cosine 0 to everything.
        queries: (Q, D).
        top: K; at most V.
        exclude: Bool (V,) or (Q, V): True for vectors to leave out.

    Returns:
        Cosines (Q, K) in descending order, and the indices of the vectors, int64 (Q, K). Where
        fewer than K are left, the cosine is minus infinity.
    """
    cosines = F.normalize(queries, dim=1) @ F.normalize(vectors, dim=1).T  # (Q, V)
    if exclude is not None:
        cosines = cosines.masked_fill(exclude, -torch.inf)
    best = cosines.topk(min(top, len(vectors)), dim=1)
    return best.values, best.indices


def plane(vectors: Tensor) -> Tensor:
    """Project normalised vectors onto their first two principal components: (V, D) to (V, 2)."""
    directions = F.normalize(vectors, dim=1)
    centred = directions - directions.mean(0)
    return centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
