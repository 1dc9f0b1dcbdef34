"""The small real datasets that scikit-learn carries, cached as tensors.

Importing scikit-learn takes about two seconds, reading the cache a few milliseconds. A cache that
is damaged or cannot be written is no error: scikit-learn is used again.
"""

import contextlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset, fingerprint
from zoo.data.tables.dataset import table_dataset
from zoo.files import atomic_write

_VERSION = "1"  # of the cached form


class SklearnData(NamedTuple):
    """One of scikit-learn's datasets.

    Attributes:
        input: Float64 (N, D).
        target: Int64 (N,) class numbers, or float64 (N,) values.
        feature_names: D of them.
        class_names: Empty for regression.
    """

    input: Tensor
    target: Tensor
    feature_names: list[str]
    class_names: list[str]


def load_sklearn(name: str, root: str, **options: Any) -> SklearnData:
    """The data of `sklearn.datasets.load_<name>`, from `root/<name>.safetensors` if it is there.

    Args:
        name: "digits", "iris", "wine", "breast_cancer", "diabetes".
        root: Folder of the cache.
        **options: Passed to scikit-learn's loader.
    """
    cache = Path(root) / f"{name}.safetensors"
    data = _read(cache)
    if data is None:
        data = _load(name, **options)
        _write(cache, data)
    return data


def sklearn_table(name: str, target_name: str, context: DataContext, **options: Any) -> Dataset:
    """One of scikit-learn's tables as a dataset."""
    data = load_sklearn(name, context.root, **options)
    raw = dict(zip(data.feature_names, data.input.unbind(1), strict=True))
    return table_dataset(raw, data.target, target_name, data.class_names or None, context)


def _load(name: str, **options: Any) -> SklearnData:
    from sklearn import datasets

    loaded = getattr(datasets, f"load_{name}")(**options)
    classes = [str(label) for label in loaded.get("target_names", [])]
    target = torch.from_numpy(loaded.target)
    return SklearnData(
        torch.from_numpy(loaded.data).double().contiguous(),
        target.long() if classes else target.double(),
        [str(feature) for feature in loaded.feature_names],
        classes,
    )


def _read(cache: Path) -> SklearnData | None:
    from safetensors import safe_open

    try:
        with safe_open(cache, framework="pt") as file:
            meta = file.metadata() or {}
            input, target = (file.get_tensor(name) for name in ("input", "target"))
    except Exception:  # damaged in any way: load it from scikit-learn again
        return None
    if meta.get("version") != _VERSION or meta.get("sha256") != fingerprint([input, target]):
        return None
    names = (json.loads(meta[key]) for key in ("feature_names", "class_names"))
    return SklearnData(input, target, *names)


def _write(cache: Path, data: SklearnData) -> None:
    from safetensors.torch import save

    meta = {
        "version": _VERSION,
        "sha256": fingerprint([data.input, data.target]),
        "feature_names": json.dumps(data.feature_names),
        "class_names": json.dumps(data.class_names),
    }
    with contextlib.suppress(OSError):  # a full or read-only disk: work without the cache
        cache.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(cache) as file:
            file.write(save({"input": data.input, "target": data.target}, meta))
