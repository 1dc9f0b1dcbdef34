"""The small real datasets that scikit-learn carries, cached as tensors.

Importing scikit-learn takes about two seconds, reading the cache a few milliseconds. A cache that
is damaged or cannot be written is no error: the set is read again.
"""

import contextlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoo.data.dataset import Dataset, fingerprint
from zoo.data.splits import Split
from zoo.data.tables.dataset import table_dataset
from zoo.files import atomic_write

_VERSION = "1"  # of the cached form


class Bundled(NamedTuple):
    """One of scikit-learn's sets: float64 (N, D) features, their names, target (N,), classes."""

    input: Tensor
    target: Tensor
    feature_names: list[str]
    class_names: list[str]


def bundled(name: str, root: str, **options: Any) -> Bundled:
    """The set that `sklearn.datasets.load_<name>` gives, from `root/<name>.safetensors` if there.

    Args:
        name: "digits", "iris", "wine", "breast_cancer", "diabetes".
        root: Folder of the cache.
        **options: Passed to scikit-learn's loader.
    """
    cache = Path(root) / f"{name}.safetensors"
    found = _read(cache)
    if found is None:
        found = _load(name, **options)
        _write(cache, found)
    return found


def bundled_table(
    name: str, root: str, target_name: str, split: Split, encoding: dict[str, Any] | None, **options
) -> Dataset:
    """One of scikit-learn's tables as a dataset."""
    data = bundled(name, root, **options)
    raw = dict(zip(data.feature_names, data.input.unbind(1), strict=True))
    classes = data.class_names or None
    return table_dataset(raw, data.target, target_name, classes, split, encoding)


def _load(name: str, **options: Any) -> Bundled:
    from sklearn import datasets

    loaded = getattr(datasets, f"load_{name}")(**options)
    classes = [str(one) for one in getattr(loaded, "target_names", [])]
    target = torch.from_numpy(loaded.target)
    return Bundled(
        torch.from_numpy(loaded.data).double().contiguous(),
        target.long() if classes else target.double(),
        [str(one) for one in loaded.feature_names],
        classes,
    )


def _read(cache: Path) -> Bundled | None:
    from safetensors import safe_open

    try:
        with safe_open(cache, framework="pt") as file:
            meta = file.metadata() or {}
            tensors = [file.get_tensor(name) for name in ("input", "target")]
    except Exception:  # damaged in any way: read again from scikit-learn
        return None
    if meta.get("version") != _VERSION or meta.get("sha256") != fingerprint(tensors):
        return None
    return Bundled(*tensors, json.loads(meta["feature_names"]), json.loads(meta["class_names"]))


def _write(cache: Path, data: Bundled) -> None:
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
