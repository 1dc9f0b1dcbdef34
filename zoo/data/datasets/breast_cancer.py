"""Breast cancer: 569 tumours, benign or malignant, 30 measurements of cell nuclei, in scikit-learn.

Street, Wolberg & Mangasarian, 1993, https://archive.ics.uci.edu/dataset/17.
"""

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.tables.sklearn_cache import sklearn_table
from zoo.registry import DATASETS


@DATASETS.register("breast_cancer", uses=("root", "labels"), tiny={})
def breast_cancer(context: DataContext) -> Dataset:
    """Two classes, 30 features."""
    return sklearn_table("breast_cancer", "diagnosis", context)
