"""Wine: 178 Italian wines of three growers, 13 chemical measurements, carried by scikit-learn.

Forina et al., 1991, https://archive.ics.uci.edu/dataset/109.
"""

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.tables.sklearn_cache import sklearn_table
from zoo.registry import DATASETS


@DATASETS.register("wine", uses=("root", "labels"), tiny={})
def wine(context: DataContext) -> Dataset:
    """Three classes, 13 features."""
    return sklearn_table("wine", "grower", context)
