"""Pixels of standardised images: the range that a generative model draws in, and back.

Shapes: N images, C channels, H height, W width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.errors import UserError


class Pixels:
    """Conversions between standardised images, of mean 0 and deviation 1, and their pixels.

    Args:
        mean, std: Of each channel's pixels, on the scale 0..1: the facts `pixel_mean`, `pixel_std`.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean = torch.tensor(mean).view(-1, 1, 1)
        self.std = torch.tensor(std).view(-1, 1, 1)

    def to_unit(self, standardised: Tensor) -> Tensor:
        """(N, C, H, W) to 0 (black) .. 1 (white); differentiable."""
        self._follow(standardised)
        return standardised * self.std + self.mean

    def to_signed(self, standardised: Tensor) -> Tensor:
        """(N, C, H, W) to -1 (black) .. 1 (white); differentiable."""
        return 2 * self.to_unit(standardised) - 1

    def standardise(self, unit: Tensor) -> Tensor:
        """The inverse of `to_unit`."""
        self._follow(unit)
        return (unit - self.mean) / self.std

    def _follow(self, images: Tensor) -> None:
        """Move to the device of the images, once: a copy in every step would wait for a GPU."""
        if self.mean.device != images.device:
            self.mean, self.std = self.mean.to(images.device), self.std.to(images.device)


def to_draw(images: Tensor, mean: Sequence[float] | None, std: Sequence[float] | None) -> Tensor:
    """Standardised images (N, C, H, W) as pixels of 0..1, whose colours are true; as they are where
    it is not known by what they were standardised, and other samples too."""
    if images.dim() != 4 or mean is None or std is None:
        return images
    return Pixels(mean, std).to_unit(images)


def check_levels(unit: Tensor, levels: int) -> None:
    """Check that pixels of 0..1 take at most `levels` evenly spaced values.

    Raises:
        UserError: Some lie between them.
    """
    level = unit.float().cpu() * (levels - 1)
    off = float((level - level.round()).abs().max()) * 255 / (levels - 1)  # in bytes
    if off > 0.51:
        raise UserError(
            f"task.levels={levels}: the data has pixels {off:.0f}/255 beside the nearest of "
            f"{levels} evenly spaced levels; set task.levels=256"
        )


def to_bytes(unit: Tensor) -> Tensor:
    """Pixels of 0..1, cut to that range, as uint8 on the CPU."""
    return (255 * unit.float().clamp(0, 1)).round().to(torch.uint8).cpu()
