"""Image augmentation as batched tensor operations, reproducible sample by sample.

The random numbers of a sample follow from its own seed (zoo/rng.py): they are the same on every
device, whatever batch the sample comes in.
Shapes: N samples, C channels, H height, W width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.errors import UserError
from zoo.rng import integers, random_bits


@dataclass(frozen=True)
class Augment:
    """Random changes to training images; all off by default.

    Attributes:
        shift: Move by up to this many pixels along each axis, the rest black (the "pad with zeros
            and crop" of He et al., 2016, https://arxiv.org/abs/1512.03385, is `shift: 4`).
        crop: Pad by this many mirrored pixels on each side and crop at random: a shift without
            black borders.
        flip: Mirror left and right, half of the time.
        cutout: Black out a square of this side, centred at random (DeVries & Taylor, 2017,
            https://arxiv.org/abs/1708.04552).
    """

    shift: int = 0
    crop: int = 0
    flip: bool = False
    cutout: int = 0

    def __post_init__(self) -> None:
        for name in ("shift", "crop", "cutout"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise UserError(f"data.augment.{name}={value}: expected pixels, 0 or more")
        if not isinstance(self.flip, bool):
            raise UserError(f"data.augment.flip={self.flip}: expected true or false")

    def bind(
        self, black: Sequence[float], size: tuple[int, int]
    ) -> Callable[[Batch, Tensor], Batch] | None:
        """The function (prepared batch, int64 seeds (N,)) to batch, or None when all is off.

        Args:
            black: Value of a black pixel per channel, after standardisation.
            size: Height and width of the images, in pixels.
        """
        if not (self.shift or self.crop or self.flip or self.cutout):
            return None
        for name in ("shift", "crop", "cutout"):
            if getattr(self, name) >= min(size):
                raise UserError(
                    f"data.augment.{name}={getattr(self, name)}: the images are {size[0]}x{size[1]}"
                    f" pixels; expected 0..{min(size) - 1}"
                )
        fills: dict[torch.device, Tensor] = {}  # copied to a device once, not for every batch

        def augment(batch: Batch, seeds: Tensor) -> Batch:
            images = batch["input"]
            if images.device not in fills:
                fills[images.device] = torch.tensor(black).to(images.device, non_blocking=True)
            return {**batch, "input": self.apply(images, seeds, fills[images.device])}

        return augment

    def apply(self, images: Tensor, seeds: Tensor, fill: Tensor) -> Tensor:
        """Images (N, C, H, W) changed by their seeds (N,); `fill` (C,) is a black pixel."""
        n, c, h, w = images.shape
        rows, row_hole = self._sources(seeds, 0, h)
        columns, column_hole = self._sources(seeds, 4, w)
        if self.flip:
            mirrored = (random_bits(seeds, 8) >> 23).bool()[:, None]
            columns = torch.where(mirrored, columns.flip(1), columns)
            column_hole = torch.where(mirrored, column_hole.flip(1), column_hole)
        holes = row_hole[:, :, None] | column_hole[:, None, :]
        if self.cutout:
            down, across = self._square(seeds, 9, h), self._square(seeds, 10, w)
            holes = holes | (down[:, :, None] & across[:, None, :])
        index = (rows[:, :, None] * w + columns[:, None, :]).view(n, 1, h * w)
        moved = images.reshape(n, c, h * w).gather(2, index.expand(n, c, h * w)).view(n, c, h, w)
        fill = fill.to(images.dtype).view(1, c, 1, 1)
        return torch.where(holes[:, None], fill, moved)

    def _sources(self, seeds: Tensor, stream: int, length: int) -> tuple[Tensor, Tensor]:
        """For each output position of one axis: its source position and whether it is black.

        Returns:
            Int64 and bool tensors of shape (N, length).
        """
        position = torch.arange(length, device=seeds.device).expand(len(seeds), length)
        if self.crop:
            position = position + (integers(seeds, stream, 2 * self.crop + 1) - self.crop)[:, None]
            position = (length - 1) - ((length - 1) - position.abs()).abs()  # mirrored at both ends
        if self.shift:
            position = (
                position - (integers(seeds, stream + 1, 2 * self.shift + 1) - self.shift)[:, None]
            )
        return position.clamp(0, length - 1), (position < 0) | (position >= length)

    def _square(self, seeds: Tensor, stream: int, length: int) -> Tensor:
        """Bool (N, length): where the cut-out square covers one axis."""
        first = integers(seeds, stream, length)[:, None] - self.cutout // 2
        position = torch.arange(length, device=seeds.device)
        return (position >= first) & (position < first + self.cutout)
