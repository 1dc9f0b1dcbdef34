"""Hugging Face's library: splits and columns with our names, and mistakes in one line."""

import sys

import pytest
from sample_hub import Rows

from zoo.data.hub import classes, column, load, texts
from zoo.errors import UserError


def test_splits_get_our_names_and_others_are_noted(library):
    library["wiki", None] = {
        "train": Rows(text=["a"]), "validation": Rows(text=["b"]), "dev": Rows(text=["c"]),
    }  # fmt: skip
    splits, notes = load("wiki", None)
    assert list(splits) == ["train", "val"] and splits["val"]["text"] == ["b"]
    assert notes == ["wiki: splits not used: dev (1 row)"]


def test_the_library_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)  # importing it fails
    with pytest.raises(UserError, match=r"'datasets': pip install --editable '\.\[hf\]'"):
        load("imdb", None)


def test_columns_are_named_or_the_usual_one():
    rows = Rows(sentence=["a"], other=["b"])
    assert column(rows, None, "data.input", ("text", "sentence")) == "sentence"
    assert column(rows, "other", "data.input", ("text",)) == "other"
    assert texts(Rows(x=["a", None]), "x", "data.input") == ["a", ""]


def test_classes_without_names_are_sorted_as_numbers():
    splits = {"train": Rows(label=["10", "9", "10"]), "test": Rows(label=["9"])}
    assert classes(splits, "label") == ([1, 0, 1, 0], ["9", "10"])


def test_a_name_that_only_a_run_says_is_not_looked_up(library, monkeypatch, tmp_path):
    """Both packages are told to stay offline, and a local file is read all the same."""
    from huggingface_hub import constants

    states, before = [], constants.HF_HUB_OFFLINE

    def load_dataset(name, *arguments, **options):
        states.append((sys.modules["datasets"].config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE))
        if name == "evil/token":
            raise ConnectionError("offline")
        return {"train": Rows(text=["a"])}

    monkeypatch.setattr(sys.modules["datasets"], "load_dataset", load_dataset)
    with pytest.raises(UserError, match="not looked up on the network.*hf download.*evil/token"):
        load("evil/token", None, online=False)
    load("wiki", None)
    (tmp_path / "a.csv").write_text("text\na\n")
    assert load(str(tmp_path / "a.csv"), None, online=False)[0]["train"]["text"] == ["a"]
    assert states == [(True, True), (False, before), (False, before)]
