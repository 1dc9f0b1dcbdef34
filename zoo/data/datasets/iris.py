"""Iris: 150 flowers of three species, four lengths in cm, carried by scikit-learn.

Fisher, 1936, https://doi.org/10.1111/j.1469-1809.1936.tb02137.x.
"""

from typing import Any

from zoo.data.dataset import Dataset
from zoo.data.splits import Split
from zoo.data.tables.sklearn_cache import bundled_table
from zoo.registry import DATASETS


@DATASETS.register("iris", tiny={})
def iris(split: Split, encoding: dict[str, Any] | None = None, root: str = "data") -> Dataset:
    """Three classes, four features in cm."""
    return bundled_table("iris", root, "species", split, encoding)
