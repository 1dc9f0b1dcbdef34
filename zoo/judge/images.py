"""Sets of images with their classes, and the values by which they are compared.

Shapes: N images, C channels, H height, W width, D values.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.batch import spread

MOST_VALUES = 1024  # of an image that are compared; larger ones are averaged down to that
MIXING_SEED = 0


class Images(NamedTuple):
    """Images and their classes.

    Attributes:
        pixels: Uint8 (N, C, H, W).
        labels: Int64 (N,).
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def first(self, number: int) -> "Images":
        """At most so many, the first."""
        return Images(self.pixels[:number], self.labels[:number])

    def spread(self, number: int) -> "Images":
        """At most `number`, at equal distances, or at random ones where those lack a class, as they
        may where classes take turns."""
        if len(self) <= number:
            return self
        every = math.ceil(len(self) / number)
        rows = torch.arange(0, len(self), every)
        if len(self.labels[rows].unique()) < len(self.labels.unique()):
            rows = spread(len(self), len(rows))
        return Images(self.pixels[rows], self.labels[rows])

    def mixed(self) -> "Images":
        """The same, in an order of which the first have all classes: their own, or a shuffled one
        where the images of a class lie together, as in a folder."""
        changes = (self.labels[1:] != self.labels[:-1]).double().mean()
        shares = self.labels.bincount().double() / len(self)
        if not changes < (1 - shares.square().sum()) / 2:  # half of what chance would give
            return self
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(MIXING_SEED))
        return Images(self.pixels[order], self.labels[order])


def values(pixels: Tensor) -> Tensor:
    """Pixels of 0..1, float64 (N, D), of uint8 (N, C, H, W); averaged where they are many."""
    return averaged(pixels.double() / 255).flatten(1)


def averaged(images: Tensor) -> Tensor:
    """Images (N, C, H, W), pooled by averages where one has more than `MOST_VALUES` values."""
    channels, height, width = images.shape[1:]
    if channels * height * width <= MOST_VALUES:
        return images
    scale = math.sqrt(MOST_VALUES / (channels * height * width))
    size = (max(1, int(height * scale)), max(1, int(width * scale)))
    return F.adaptive_avg_pool2d(images, size)
