"""What tasks that draw images share: noise, batches, a grid.

Shapes: N images, C channels, H height, W width.
"""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.tasks.capabilities import DrawsImages

AT_ONCE = 250  # images
GAP = 0.1  # between two images of a grid, of an image
GREY = 128


class ImageNoise:
    """Random numbers, a stream of its own for each image.

    So an image depends on its place in the seed's sequence alone, not on how many are drawn with
    it, nor on how many numbers each takes.

    Args:
        number: N.
        generator: On the CPU; each image takes one number of it.
    """

    def __init__(self, number: int, generator: torch.Generator) -> None:
        seeds = torch.randint(2**62, (number,), generator=generator)
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds.tolist()]

    def normal(self, *shape: int) -> Tensor:
        """Standard normal, (N, *shape), on the CPU."""
        return torch.stack([torch.randn(shape, generator=g) for g in self.generators])

    def uniform(self, *shape: int) -> Tensor:
        """Between 0 and 1, (N, *shape), on the CPU."""
        return torch.stack([torch.rand(shape, generator=g) for g in self.generators])


def draw_all(
    task: DrawsImages,
    model: nn.Module,
    classes: Tensor,
    generator: torch.Generator,
    **options: Any,
) -> Tensor:
    """Any number of images, in batches: uint8 (N, C, H, W), on the CPU.

    Args:
        task, model, options: As of `DrawsImages.draw`.
        classes: Of each image, int64 (N,).
        generator: On the CPU.
    """
    parts = [task.draw(model, part, generator, **options) for part in classes.split(AT_ONCE)]
    return torch.cat(parts)


def grid(pixels: Tensor, columns: int) -> Tensor:
    """Images as one, row by row, on grey: uint8 (N, C, H, W) to (C, H', W').

    Args:
        pixels: Of the images.
        columns: Of the grid.
    """
    number, channels, height, width = pixels.shape
    gap = max(1, round(GAP * min(height, width)))
    rows = -(-number // columns)
    size = (rows * (height + gap) + gap, columns * (width + gap) + gap)
    canvas = torch.full((channels, *size), GREY, dtype=torch.uint8)
    for k, image in enumerate(pixels):
        top, left = (
            gap + n * step for n, step in zip(divmod(k, columns), (height + gap, width + gap))
        )
        canvas[:, top : top + height, left : left + width] = image
    return canvas
