"""scripts/list.py: everything that can be named is listed, and fits the terminal."""

import json

import pytest
import yaml
from support import recipe

from zoo.commands import list as listing
from zoo.config import groups as configs
from zoo.registry import MODELS


@pytest.fixture
def listed(command, monkeypatch):
    def call(*arguments, columns=100):
        monkeypatch.setenv("COLUMNS", str(columns))
        done = command(listing.main, *arguments)
        assert done.code == 0, done.err
        assert max(map(len, done.out.splitlines())) <= columns
        return done.out

    return call


def rows(text):
    """First words of the lines that begin a row."""
    return [line.split()[0] for line in text.splitlines()[1:] if line[:1].strip()]


def test_models_with_their_papers_and_experiments(listed):
    text = listed("models")
    assert rows(text)[:-1] == MODELS.names()
    assert (
        "288,170" in text
        and "LeCun et al., 1998" in text
        and "Elman, 1990" in text
        and "cnn_digits" in text
    )
    assert "?" not in text


def test_every_data_choice_with_its_needs(listed):
    text = listed("data")
    assert rows(text) == configs.choices("data")
    needs = {line.split()[0]: line for line in text.splitlines() if line[:1].strip()}
    assert "download" in needs["mnist"] and "nothing" in needs["rain"]
    assert "your files" in needs["csv"] and "CSV file" in needs["csv"]


@pytest.mark.parametrize("name", configs.choices("data"))
def test_the_description_of_a_data_choice_ends_with_its_sentence(name):
    text = configs.config_file("data", name).read_text(encoding="utf-8")
    assert listing.comment(text).endswith((".", "?"))


def test_every_experiment_with_its_promise(listed):
    text = listed("experiments", columns=240)  # no promise is cut into lines
    assert rows(text) == list(configs.experiments()) == rows(listed("experiments"))
    flat = " ".join(text.split())
    for name, content in configs.experiments().items():
        chosen = recipe(name)
        start = f"{name} {chosen.model['name']} {chosen.data['name']}"
        assert start in flat
        for metric, bound in (yaml.safe_load(content).get("expect") or {}).items():
            assert f"{metric} {bound}" in flat


def test_measured_results_are_next_to_the_expectations(listed, monkeypatch, tmp_path):
    found = {"mean": 0.98765, "std": 0.0012, "values": [0.98, 0.99]}
    results = {"cnn_digits": {"metrics": {"test/accuracy": found}, "runs": 2}}
    file = tmp_path / "results.json"
    file.write_text(json.dumps(results))
    monkeypatch.setattr(listing, "RESULTS", file)
    flat = " ".join(listed("experiments").split())
    assert "0.9877±0.0012 (2)" in flat
    monkeypatch.setattr(listing, "RESULTS", tmp_path / "none.json")
    assert "±" not in listed("experiments")


def test_without_arguments_everything(listed):
    text = listed()
    assert all(text.count(f"{kind}  ") for kind in ("model", "data", "experiment"))


def test_an_unknown_table_is_a_mistake(refused):
    assert "did you mean 'models'?" in refused(listing.main, "model")


def test_help(command):
    assert command(listing.main, "--help").out.startswith("python scripts/list.py")
