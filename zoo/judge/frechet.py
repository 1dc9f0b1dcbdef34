"""The Frechet distance of two sets of features, as of two Gaussians.

Heusel et al., 2017, https://arxiv.org/abs/1706.08500. Differs from the paper: the features are
those of a classifier of one's own, not of Inception; numbers of different classifiers cannot be
compared, nor those of different numbers of images.
"""

import torch
from torch import Tensor


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), of features (N, D) and (M, D)."""
    (mean1, cov1), (mean2, cov2) = _moments(first), _moments(second)
    values, vectors = torch.linalg.eigh(cov1)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.mT  # of the first covariance
    product = torch.linalg.eigvalsh(root @ cov2 @ root)  # those of S1 S2, and symmetric
    cross = product.clamp(min=0).sqrt().sum()
    distance = (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * cross
    return float(distance.clamp(min=0))


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,) and covariance (D, D), which is 0 of a single row."""
    features = features.double()
    covariance = torch.cov(features.mT, correction=min(1, len(features) - 1))
    return features.mean(0), covariance.view(features.shape[1], -1)
