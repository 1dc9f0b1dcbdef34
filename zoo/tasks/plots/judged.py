"""Drawn images beside what they may have been remembered from."""

from torch import Tensor

from zoo.tasks.base import PreviewWriter
from zoo.tasks.plots.images import images_plots

CAPTION = (
    "Above what the model drew, below the training image that is nearest to it. Where the two are "
    "the same image, the model has learnt it by heart."
)


def neighbours_plots(pairs: Tensor, writer: PreviewWriter) -> None:
    """Two rows of images, uint8 (2, N, C, H, W)."""
    title = "Drawn, and the nearest training image"
    names = ("drawn", "nearest")
    images_plots("neighbours", title, pairs.flatten(0, 1), writer, CAPTION, pairs.shape[1], names)
