"""Several inputs as one batch."""

import pytest
import torch

from zoo.data.inputs import read_inputs
from zoo.errors import UserError


class Texts:
    """An encoding of texts of any length, by no more than the contract asks for."""

    holds = "texts"

    def read(self, path):
        return [path], {"input": torch.tensor([[len(path)]])}


class Noted(Texts):
    """One that says something of an input, and takes numbers."""

    def read_noted(self, path):
        return *self.read(path), [f"{len(path)} letters", "of a text"]

    def read_value(self, value):
        return ["", ""], {"input": torch.tensor([[value], [value]])}, ["a number"]


class Joined(Noted):
    """One that says how its batches become one."""

    def join(self, batches):
        return {"input": sum(batch["input"].sum() for batch in batches)}


def test_names_samples_and_notes_come_in_order(tmp_path):
    assert read_inputs(Texts(), ["ab"]) == (["ab"], {"input": torch.tensor([[2]])}, [])
    names, batch, notes = read_inputs(Noted(), ["ab", 7, tmp_path, "cd"])
    assert names == ["ab", "input:2", "input:3", str(tmp_path), "cd"]
    assert batch["input"].flatten().tolist() == [2, 7, 7, len(str(tmp_path)), 2]
    assert notes == ["2 letters", "of a text", "a number", f"{len(str(tmp_path))} letters"]
    assert read_inputs(Joined(), ["ab", "c"])[1]["input"] == 3


def test_a_value_that_the_encoding_does_not_take():
    with pytest.raises(UserError, match=r"input is 7 \(int\); the run takes texts"):
        read_inputs(Texts(), [7])


def test_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "file").touch()
    assert read_inputs(Texts(), ["~/file", "~/none"])[0] == [str(tmp_path / "file"), "~/none"]
