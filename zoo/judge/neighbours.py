"""The nearest training image of each image: has a model drawn, or remembered?

Shapes: N images, M training images, D values.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from zoo.judge.images import values

AT_ONCE = 500  # images


class Nearest(NamedTuple):
    """Of each image, float64 and int64 (N,).

    Attributes:
        distance: Root of the mean squared difference of pixels of 0..1.
        rows: Number of the training image.
    """

    distance: Tensor
    rows: Tensor


def nearest(pixels: Tensor, training: Tensor) -> Nearest:
    """Nearest training images, of uint8 (N, C, H, W) and (M, C, H, W)."""
    samples, known = values(pixels), values(training).float()
    squares = known.square().sum(1)  # (M,)
    index = torch.cat(
        [(squares - 2 * part.float() @ known.mT).argmin(1) for part in samples.split(AT_ONCE)]
    )
    differences = samples - values(training[index])  # exact: a copy has the distance 0
    return Nearest(differences.square().mean(1).sqrt(), index)
