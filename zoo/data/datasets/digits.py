"""Digits: 1,797 handwritten digits, 8x8 pixels, carried by scikit-learn (no download).

Alpaydin & Kaynak, 1998, https://archive.ics.uci.edu/dataset/80, the UCI test set: 43 writers,
each digit scanned at 32x32 and counted in 4x4 blocks, so 17 levels of grey, light on dark.
"""

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.images.dataset import image_dataset
from zoo.data.tables.sklearn_cache import load_sklearn
from zoo.registry import DATASETS


@DATASETS.register("digits", uses=("root", "augment", "labels"), tiny={})
def digits(context: DataContext) -> Dataset:
    """Ten classes, images (1, 8, 8); the levels 0..16 are scaled to 0..255."""
    data = load_sklearn("digits", context.root)
    images = (data.input * (255 / 16)).round().byte().view(-1, 1, 8, 8)
    return image_dataset(images, data.target, data.class_names, context)
