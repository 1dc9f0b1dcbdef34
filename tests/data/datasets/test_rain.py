"""The generated weather."""

import pytest
from contexts import build_dataset

from zoo.data.splits import Split
from zoo.errors import UserError


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


def test_rain_follows_its_rule_and_its_seed():
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
