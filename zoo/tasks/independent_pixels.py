"""The trivial model of images: each pixel takes its levels as often as in the training split,
whatever the other pixels are.

Shapes: N images, C channels, H height, W width, L levels.
"""

import math

import torch
from torch import Tensor


class IndependentPixels:
    """Learnt from counts; gives bits and the best guess of a noised pixel.

    Args:
        levels: L, of pixels from -1 to 1.
    """

    def __init__(self, levels: int) -> None:
        self.levels = levels
        self.bits: Tensor | None = None  # -log2 p, (C, H, W, L)
        self.mean = self.variance = torch.zeros(())

    @property
    def is_learnt(self) -> bool:
        """Whether it knows any counts."""
        return self.bits is not None

    def counts(self, image: Tensor) -> Tensor:
        """How often each pixel of images (N, C, H, W) takes each level, int64 (C, H, W, L)."""
        level = self.level(image).movedim(0, -1)  # (C, H, W, N)
        counts = level.new_zeros(*level.shape[:3], self.levels)
        return counts.scatter_add_(3, level, torch.ones_like(level))

    def level(self, image: Tensor) -> Tensor:
        """Pixels of -1..1 to their levels, int64 0..L - 1."""
        level = ((image + 1) / 2 * (self.levels - 1)).round()
        return level.clamp(0, self.levels - 1).long()

    def learn(self, counts: Tensor) -> None:
        """From the counts over the training split; all levels together are counted once more, so
        that none has probability 0."""
        shares = (counts.double() + 1 / self.levels) / (counts.sum(3, keepdim=True) + 1)
        values = torch.linspace(-1, 1, self.levels, dtype=torch.float64)
        mean = (shares * values).sum(3)
        self.bits = (-shares.log() / math.log(2)).float()
        self.mean = mean.float()
        self.variance = (shares * (values - mean[..., None]).square()).sum(3).float()

    def bits_of(self, image: Tensor) -> Tensor:
        """Bits of each image (N, C, H, W), (N,)."""
        assert self.bits is not None
        self._follow(image)
        bits = self.bits.gather(3, self.level(image).movedim(0, -1))  # (C, H, W, N)
        return bits.sum((0, 1, 2))

    def denoise(self, x: Tensor, a: Tensor, s: Tensor) -> Tensor:
        """The image in a x + s n, as far as each pixel's mean and variance tell."""
        self._follow(x)
        gain = self.variance * a / (a.square() * self.variance + s.square())
        return self.mean + gain * (x - a * self.mean)

    def _follow(self, image: Tensor) -> None:
        if self.mean.device != image.device and self.bits is not None:
            self.bits, self.mean = self.bits.to(image.device), self.mean.to(image.device)
            self.variance = self.variance.to(image.device)
