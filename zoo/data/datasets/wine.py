"""Wine: 178 Italian wines of three growers, 13 chemical measurements, carried by scikit-learn.

Forina et al., 1991, https://archive.ics.uci.edu/dataset/109.
"""

from typing import Any

from zoo.data.dataset import Dataset
from zoo.data.splits import Split
from zoo.data.tables.sklearn_cache import bundled_table
from zoo.registry import DATASETS


@DATASETS.register("wine", tiny={})
def wine(split: Split, encoding: dict[str, Any] | None = None, root: str = "data") -> Dataset:
    """Three classes, 13 features."""
    return bundled_table("wine", root, "grower", split, encoding)
