"""scikit-learn's datasets and their cache."""

import numpy as np
import pytest
import torch
from contexts import build_dataset
from sample_images import digits

from zoo.data.splits import Split
from zoo.data.tables import sklearn_cache


@pytest.fixture
def no_sklearn(monkeypatch):
    def fail(name, **options):
        raise AssertionError("scikit-learn was asked although the cache is there")

    monkeypatch.setattr(sklearn_cache, "_load", fail)


def test_the_cache_is_used(tmp_path, request):
    first = digits(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["digits.safetensors"]
    request.getfixturevalue("no_sklearn")
    assert digits(tmp_path).sha256 == first.sha256


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text", "folder"])
def test_a_damaged_cache_is_rebuilt(tmp_path, damage):
    first, cache = digits(tmp_path), tmp_path / "digits.safetensors"
    raw = bytearray(cache.read_bytes())
    if damage == "flipped":
        raw[-1000] ^= 64
    cache.write_bytes({"truncated": raw[:-100], "empty": b"", "text": b"no"}.get(damage, raw))
    if damage == "folder":
        cache.unlink()
        cache.mkdir()
    assert sklearn_cache._read(cache) is None
    assert digits(tmp_path).sha256 == first.sha256
    if damage != "folder":
        assert sklearn_cache._read(cache) is not None
    assert [p.name for p in tmp_path.iterdir()] == ["digits.safetensors"], "no temporary is left"


def test_a_root_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert len(digits(tmp_path / "file").splits["train"]) == 1258


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
def test_bundled_tables_equal_sklearns_scaler(name, tmp_path):
    from sklearn import datasets
    from sklearn.preprocessing import StandardScaler

    data = build_dataset({"name": name, "root": str(tmp_path)}, split=Split())
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    index = Split().indices(torch.from_numpy(y).long())
    scaler = StandardScaler().fit(x[index["train"].numpy()])
    for part, rows in index.items():
        expected = scaler.transform(x[rows.numpy()])
        source = data.splits[part]
        assert np.allclose(source.columns["input"].numpy(), expected, atol=1e-5)
        assert source.columns["target"].tolist() == y[rows.numpy()].tolist()
    assert data.facts["input_shape"] == (x.shape[1],) and data.facts["num_outputs"] == y.max() + 1
    assert data.facts["class_counts"] == np.bincount(y[index["train"].numpy()]).tolist()
