"""Metrics of classifiers that a majority class cannot fool, as scikit-learn defines them.

Brodersen et al., 2010, https://doi.org/10.1109/ICPR.2010.764 (balanced accuracy); Hanley and
McNeil, 1982, https://doi.org/10.1148/radiology.143.1.7063747 (the area under the ROC curve as the
probability that a positive sample scores above a negative one).
Shapes: K classes, N samples.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def balanced_accuracy(confusion: Tensor) -> float:
    """The mean over classes of the share of their samples that is recognised.

    Args:
        confusion: Samples by true and predicted class, (K, K). A class without samples is left out.
    """
    samples = confusion.sum(1)
    return float((confusion.diag() / samples)[samples > 0].mean())


def macro_f1(confusion: Tensor) -> float:
    """The mean over classes of F1.

    Args:
        confusion: Samples by true and predicted class, (K, K). A class that has no samples and is
            never predicted is left out; one with either has 0 if none is right.
    """
    total = confusion.sum(0) + confusion.sum(1)
    return float((2 * confusion.diag() / total)[total > 0].mean())


def class_rows(confusion: Tensor, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Precision, recall, F1 and support of each class, as JSON.

    Args:
        confusion: Samples by true and predicted class, int64 (K, K).
        names: Of the K classes.
    """
    columns = (x.tolist() for x in (confusion.diag(), confusion.sum(1), confusion.sum(0)))
    classes = {}
    for name, correct, true, predicted in zip(names, *columns, strict=True):
        classes[name] = {
            "precision": correct / predicted if predicted else 0.0,
            "recall": correct / true if true else 0.0,
            "f1": 2 * correct / (true + predicted) if true + predicted else 0.0,
            "support": true,
        }
    return classes


def roc_auc(scores: Tensor, positive: Tensor) -> Tensor:
    """The probability that a positive sample scores above a negative one, equal scores half.

    Args:
        scores: (N,).
        positive: Bool (N,).

    Returns:
        Scalar float64; NaN where all samples are of one kind.
    """
    _, place, counts = scores.unique(return_inverse=True, return_counts=True)
    ranks = counts.cumsum(0).double() - (counts - 1).double() / 2  # of equal scores the mean
    rank = ranks[place]
    ones = positive.sum().double()
    pairs = ones * (len(positive) - ones)
    above = rank[positive].sum() - ones * (ones + 1) / 2
    return above / pairs if pairs > 0 else torch.tensor(float("nan"), dtype=torch.float64)
