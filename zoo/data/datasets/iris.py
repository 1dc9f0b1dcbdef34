"""Iris: 150 flowers of three species, four lengths in cm, bundled with scikit-learn.

Fisher, 1936, https://doi.org/10.1111/j.1469-1809.1936.tb02137.x.
"""

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.tables.sklearn_cache import sklearn_table
from zoo.registry import DATASETS


@DATASETS.register("iris", uses=("root", "labels"), tiny={})
def iris(context: DataContext) -> Dataset:
    """Three classes, four features in cm."""
    return sklearn_table("iris", "species", context)
