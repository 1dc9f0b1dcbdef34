"""Breast cancer: 569 tumours, benign or malignant, 30 measurements of cell nuclei, in scikit-learn.

Street, Wolberg & Mangasarian, 1993, https://archive.ics.uci.edu/dataset/17.
"""

from typing import Any

from zoo.data.dataset import Dataset
from zoo.data.splits import Split
from zoo.data.tables.sklearn_cache import bundled_table
from zoo.registry import DATASETS


@DATASETS.register("breast_cancer", tiny={})
def breast_cancer(
    split: Split, encoding: dict[str, Any] | None = None, root: str = "data"
) -> Dataset:
    """Two classes, 30 features."""
    return bundled_table("breast_cancer", root, "diagnosis", split, encoding)
