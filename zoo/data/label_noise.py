"""Wrong labels on purpose, `data.label_noise`: how much of them does a model bear, or learn?

Replaced are labels of the training split alone, each by another class, all others equally likely
(Zhang et al., 2017, https://arxiv.org/abs/1611.03530). Which ones follows from the seed of the
split, and a smaller fraction lies within a larger one.
Shapes: N samples, M of them for training.
"""

import torch
from torch import Tensor

from zoo.rng import mix_seed

STREAM = 0x6E6F697365  # "noise": keeps its numbers apart from those of the split


def number_replaced(fraction: float, samples: int) -> int:
    """How many labels of so many training samples are replaced."""
    return round(fraction * samples)


def with_noise(
    labels: Tensor, train: Tensor, fraction: float, num_classes: int, seed: int
) -> Tensor:
    """The labels of the training samples, a fraction of them replaced; int64 (M,).

    Args:
        labels: Of all samples, int64 (N,).
        train: The training samples, int64 (M,).
        fraction: Of them that is replaced, 0 to below 1.
        num_classes: K, 2 or more.
        seed: Of the split.
    """
    generator = torch.Generator().manual_seed(mix_seed(seed, STREAM))
    turn = torch.rand(len(labels), generator=generator)
    step = torch.randint(1, num_classes, (len(labels),), generator=generator)
    chosen = turn[train].argsort(stable=True)[: number_replaced(fraction, len(train))]
    noisy = labels[train]
    noisy[chosen] = (noisy[chosen] + step[train][chosen]) % num_classes
    return noisy
