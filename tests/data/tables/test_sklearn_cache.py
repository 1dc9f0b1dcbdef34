"""The bundled sets, their cache, and the made-up weather."""

import numpy as np
import pytest
import torch
from contexts import build_dataset

from zoo.data.images.augment import Augment
from zoo.data.splits import Split
from zoo.data.tables import sklearn_cache
from zoo.errors import UserError


def digits(root, **facts):
    return build_dataset({"name": "digits", "root": str(root)}, split=Split(), **facts)


@pytest.fixture
def no_sklearn(monkeypatch):
    def fail(name, **options):
        raise AssertionError("scikit-learn was asked although the cache is there")

    monkeypatch.setattr(sklearn_cache, "_load", fail)


def test_digits_keep_their_17_levels_and_equal_sklearns(tmp_path):
    from sklearn.datasets import load_digits

    data, (x, y) = digits(tmp_path), load_digits(return_X_y=True)
    images = torch.cat([data.splits[k].columns["input"] for k in ("train", "val", "test")])
    assert images.dtype == torch.uint8 and images.shape == (1797, 1, 8, 8)
    assert images.unique().tolist() == [round(level * 255 / 16) for level in range(17)]
    index = Split().indices(torch.from_numpy(y))
    levels = (data.splits["test"].columns["input"].double() * 16 / 255).round()
    assert torch.equal(levels.flatten(1), torch.from_numpy(x)[index["test"]])


def test_images_are_standardised_by_the_training_split(tmp_path):
    data = digits(tmp_path)
    train = data.splits["train"].columns["input"].numpy() / 255
    assert data.encoding.mean == (pytest.approx(train.mean(), abs=1e-12),)
    assert data.encoding.std == (pytest.approx(train.std(), abs=1e-12),)
    batch = data.encoding.prepare(data.splits["test"].fetch(torch.arange(5)))
    expected = data.splits["test"].columns["input"][:5].numpy() / 255
    expected = (expected - train.mean()) / train.std()
    assert batch["input"].dtype == torch.float32
    assert np.allclose(batch["input"].numpy(), expected, atol=1e-6)


def test_augmentation_fills_with_prepared_black(tmp_path):
    data = digits(tmp_path, augment=Augment(shift=3))
    batch = data.encoding.prepare({"input": torch.zeros(8, 1, 8, 8, dtype=torch.uint8)})
    moved = data.augment(batch, torch.arange(8))
    assert torch.allclose(moved["input"], batch["input"], atol=1e-6)
    assert digits(tmp_path, augment=Augment()).augment is None


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


def test_rain_needs_more_than_a_line(tmp_path):
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    data = build_dataset({"name": "rain"}, split=Split())
    assert data.facts["feature_names"] == ["temperature", "humidity"]
    assert data.facts["class_names"] == ["dry", "rain"]
    train, test = (data.splits[k].columns for k in ("train", "test"))
    linear = LogisticRegression().fit(train["input"], train["target"])
    assert 0.7 < linear.score(test["input"], test["target"]) < 0.9
    mlp = MLPClassifier((32, 32), max_iter=300, learning_rate_init=0.01, random_state=0)
    mlp.fit(train["input"], train["target"])
    assert mlp.score(test["input"], test["target"]) > 0.99


def test_rain_tells_its_story_and_repeats():
    data = build_dataset({"name": "rain", "samples": 4000}, split=Split())
    again = build_dataset({"name": "rain", "samples": 4000}, split=Split())
    other = build_dataset({"name": "rain", "samples": 4000, "seed": 1}, split=Split())
    assert data.sha256 == again.sha256 != other.sha256
    from zoo.data.datasets.rain import weather

    temperature, humidity, falls = weather(4000, 0)
    for hot, humid, rains in [(1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1)]:
        here = ((temperature > 25) == hot) & ((temperature < 5) != hot)
        here &= (humidity > 80) if humid else (humidity < 35)
        assert here.any() and (falls[here] == rains).all()
    with pytest.raises(UserError, match="data.samples=3"):
        build_dataset({"name": "rain", "samples": 3}, split=Split())
