"""Digits: 1,797 handwritten digits, 8x8 pixels, carried by scikit-learn (no download).

Alpaydin & Kaynak, 1998, https://archive.ics.uci.edu/dataset/80, the UCI test set: 43 writers,
each digit scanned at 32x32 and counted in 4x4 blocks, so 17 levels of grey, light on dark.
"""

from typing import Any

from zoo.data.dataset import Dataset
from zoo.data.images.augment import Augment
from zoo.data.images.dataset import image_dataset
from zoo.data.splits import Split
from zoo.data.tables.sklearn_cache import bundled
from zoo.registry import DATASETS


@DATASETS.register("digits", tiny={})
def digits(
    split: Split,
    augment: Augment | None = None,
    encoding: dict[str, Any] | None = None,
    root: str = "data",
) -> Dataset:
    """Ten classes, images (1, 8, 8); the levels 0..16 are spread over 0..255."""
    data = bundled("digits", root)
    images = (data.input * (255 / 16)).round().byte().view(-1, 1, 8, 8)
    return image_dataset(images, data.target, data.class_names, split, augment, encoding)
