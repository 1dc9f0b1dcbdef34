"""The Frechet distance of two sets of features, as of two Gaussians.

Heusel et al., 2017, https://arxiv.org/abs/1706.08500. Differs from the paper: the features are
those of a classifier of one's own, not of Inception; numbers of different classifiers cannot be
compared, nor those of different numbers of images.
"""

import torch
from torch import Tensor


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), of features (N, D) and (M, D).

    With S1 = A^T A and S2 = B^T B, the last trace is the sum of the singular values of A B^T.
    """
    (mean1, root1), (mean2, root2) = _moments(first), _moments(second)
    cross = torch.linalg.svdvals(root1 @ root2.mT).sum()
    distance = (mean1 - mean2).square().sum() - 2 * cross
    return float((distance + root1.square().sum() + root2.square().sum()).clamp(min=0))


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,), and R of the covariance R^T R, which is 0 of a single row: (N, D), at most (D, D),
    so that neither many rows nor long ones take long."""
    features = features.double()
    mean = features.mean(0)
    root = (features - mean) / max(1, len(features) - 1) ** 0.5
    return mean, root if len(root) <= len(mean) else torch.linalg.qr(root, mode="r").R
