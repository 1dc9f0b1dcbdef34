"""The simplest model that draws: a Gaussian of each class, fitted to its pixels.

What it draws looks like noise around a blurred mean, and yet trains a classifier well: means and
covariances are most of what classes of small images differ in. A network that is behind it (for the
8x8 digits: docs/generative.md) may have learnt much, but no more of what tells classes apart.
"""

import torch
from torch import Tensor

from zoo.judge.images import Images

RIDGE = 0.01  # of the mean variance, added to every pixel's: few rows have a singular covariance
MOST_VALUES = 4096  # of an image; the covariance of more takes too long


class ClassGaussians:
    """Mean and covariance of each class.

    Args:
        images: Of the training split.
    """

    def __init__(self, images: Images) -> None:
        self.images, self.shape = images, images.pixels.shape[1:]

    def fit(self, label: int) -> tuple[Tensor, Tensor]:
        """Mean (D,) and Cholesky factor of the covariance (D, D) of a class."""
        rows = self.images.pixels[self.images.labels == label].flatten(1).double() / 255
        mean = rows.mean(0)
        covariance = (rows - mean).mT @ (rows - mean) / max(1, len(rows) - 1)
        ridge = RIDGE * covariance.diagonal().mean() + 1e-9
        covariance.diagonal().add_(ridge)
        return mean, torch.linalg.cholesky(covariance)

    def draw(self, labels: Tensor, generator: torch.Generator) -> Images:
        """An image of each label (N,), cut to the range of pixels."""
        noise = torch.randn(len(labels), self.shape.numel(), generator=generator).double()
        drawn = torch.empty_like(noise)
        for label in labels.unique().tolist():  # one at a time: factors of all fill the memory
            chosen, (mean, factor) = labels == label, self.fit(label)
            drawn[chosen] = mean + noise[chosen] @ factor.mT
        pixels = (255 * drawn.clamp(0, 1)).round().to(torch.uint8)
        return Images(pixels.view(-1, *self.shape), labels)
