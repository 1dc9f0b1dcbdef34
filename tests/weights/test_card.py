"""Model cards, from what a run wrote."""

import json

from zoo.config.saved import read_config
from zoo.runs.directory import RunDirectory
from zoo.weights.card import model_card


def test_a_metric_that_was_not_finite_is_left_blank(train):
    done = train("model=mlp", "data=rain", "trainer=debug")
    file = done.path / "result.json"
    result = json.loads(file.read_text())
    result["test"]["loss"], result["val"]["loss"] = None, 0.5
    file.write_text(json.dumps(result))
    card = model_card(RunDirectory(done.path), read_config(done.path), "files")
    assert "| loss | 0.5000 |  |" in card
