"""Messages name the command that the user typed."""

import sys

import pytest

from zoo.program import command_line, spelled, started_as


def test_scripts_are_named_where_they_were_used(monkeypatch):
    text = "python train.py resume=a; python scripts/export_vectors.py run=a"
    monkeypatch.setattr(sys, "argv", ["train.py", "model=mlp", "name=my run"])
    assert spelled(text) == text
    assert command_line() == "python train.py model=mlp 'name=my run'"
    monkeypatch.setattr(sys, "argv", ["zoo train", "name=my run"])
    assert spelled(text) == "zoo train resume=a; zoo export-vectors run=a"
    assert command_line() == "zoo train 'name=my run'"


def test_a_function_stands_for_a_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", own := ["notebook.py"])
    with pytest.raises(ZeroDivisionError), started_as("zoo train", ["name=my run"]):
        assert (
            command_line() == "zoo train 'name=my run'"
            and spelled("python train.py") == "zoo train"
        )
        raise ZeroDivisionError
    assert sys.argv is own
