"""Diabetes: 442 patients, ten measurements, disease progression a year later (regression).

Efron, Hastie, Johnstone & Tibshirani, 2004, https://arxiv.org/abs/math/0406456, carried by
scikit-learn; taken unscaled, so that only the training rows decide the standardisation.
"""

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.tables.sklearn_cache import sklearn_table
from zoo.registry import DATASETS


@DATASETS.register("diabetes", uses=("root", "labels"), tiny={})
def diabetes(context: DataContext) -> Dataset:
    """One number (25..346), ten features."""
    return sklearn_table("diabetes", "progression", context, scaled=False)
