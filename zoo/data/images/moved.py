"""Images moved at evaluation, `data.test_shift`: does a model know a shape at another place?

Every image is moved by the same number of pixels, in turn to the right, to the left, down and up;
what comes in is black.
Shapes: N samples, C channels, H height, W width.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.batch import Batch
from zoo.data.dataset import Source, TensorSource
from zoo.errors import UserError

SPLITS = frozenset({"test", "all"})  # of other data, "all" is what is evaluated
DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))  # down, to the right


class MovedSource:
    """Images that are decoded when a batch needs them, and moved then."""

    def __init__(self, source: Source, pixels: int) -> None:
        self.source, self.pixels = source, pixels

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Batch:
        sample = self.source[index]
        moved = move(sample["input"][None], torch.tensor([index]), self.pixels)
        return {**sample, "input": moved[0]}


def move(images: Tensor, numbers: Tensor, pixels: int) -> Tensor:
    """Images (N, C, H, W) moved by so many pixels, each as its number (N,) says."""
    moved = torch.empty_like(images)
    for k, (down, right) in enumerate(DIRECTIONS):
        of_this = numbers % len(DIRECTIONS) == k
        x, y = right * pixels, down * pixels
        moved[of_this] = F.pad(images[of_this], (x, -x, y, -y))  # a negative number cuts off
    return moved


def moved_splits(splits: Mapping[str, Any], pixels: int, size: tuple[int, int]) -> dict[str, Any]:
    """The splits, those that test with moved images.

    Args:
        splits: Sources by name; `input` is uint8 (C, H, W).
        pixels: How far; 0 changes nothing.
        size: Height and width of the images.

    Raises:
        UserError: Nothing of an image would be left.
    """
    if pixels >= min(size):
        raise UserError(
            f"data.test_shift={pixels}: the images are {size[0]}x{size[1]} pixels; expected 0 to "
            f"{min(size) - 1}"
        )
    if not pixels:
        return dict(splits)
    return {name: _moved(s, pixels) if name in SPLITS else s for name, s in splits.items()}


def _moved(source: Any, pixels: int) -> Any:
    if not isinstance(source, TensorSource):
        return MovedSource(source, pixels)
    moved = move(source.columns["input"], torch.arange(len(source)), pixels)
    return TensorSource({**source.columns, "input": moved})
