"""Diabetes: 442 patients, ten measurements, disease progression a year later (regression).

Efron, Hastie, Johnstone & Tibshirani, 2004, https://arxiv.org/abs/math/0406456, carried by
scikit-learn; taken unscaled, so that the training rows alone decide the standardisation.
"""

from typing import Any

from zoo.data.dataset import Dataset
from zoo.data.splits import Split
from zoo.data.tables.sklearn_cache import bundled_table
from zoo.registry import DATASETS


@DATASETS.register("diabetes", tiny={})
def diabetes(split: Split, encoding: dict[str, Any] | None = None, root: str = "data") -> Dataset:
    """One number (25..346), ten features."""
    return bundled_table("diabetes", root, "progression", split, encoding, scaled=False)
