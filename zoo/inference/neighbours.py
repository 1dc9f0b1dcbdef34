"""Nearest vectors by cosine, sums of words (king - man + woman), and a map of them on a plane.

Analogies by sums of normalised vectors: Mikolov, Yih and Zweig, 2013,
https://aclanthology.org/N13-1090.
Shapes: V vectors, D width, Q questions, K answers.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def combine(vectors: Tensor, terms: Sequence[tuple[float, int]]) -> Tensor:
    """The sum of normalised vectors, (D,).

    Args:
        vectors: (V, D).
        terms: Factor and number of each vector: [(1, king), (-1, man), (1, woman)].
    """
    factors = torch.tensor([factor for factor, _ in terms], device=vectors.device)
    numbers = torch.tensor([number for _, number in terms], device=vectors.device)
    return factors.to(vectors.dtype) @ F.normalize(vectors[numbers], dim=1)


def nearest(
    vectors: Tensor, questions: Tensor, top: int, exclude: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The vectors that point most nearly the same way.

    Args:
        vectors: (V, D). Vectors of zeros are near nothing.
        questions: (Q, D).
        top: K, how many to name; at most V.
        exclude: bool (V,) or (Q, V): which are not to be named.

    Returns:
        Cosines (Q, K), the largest first, and the numbers of the vectors, int64 (Q, K). Where all
        others are excluded, the cosine is minus infinity.
    """
    cosines = F.normalize(questions, dim=1) @ F.normalize(vectors, dim=1).T  # (Q, V)
    if exclude is not None:
        cosines = cosines.masked_fill(exclude, -torch.inf)
    found = cosines.topk(min(top, len(vectors)), dim=1)
    return found.values, found.indices


def plane(vectors: Tensor) -> Tensor:
    """The first two principal components of normalised vectors, (V, 2) for (V, D)."""
    directions = F.normalize(vectors, dim=1)
    centred = directions - directions.mean(0)
    return centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
