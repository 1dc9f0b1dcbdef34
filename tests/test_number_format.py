"""The precision of a run: chosen before its first step, recorded, printed, and kept."""

import json

import pytest
import torch
import yaml

from zoo import session
from zoo.config.compose import load
from zoo.runs.records import Record
from zoo.training import precision
from zoo.training.checkpoint import Checkpointer

SMALL = (
    "model=mlp", "model.depth=1", "data=rain", "data.samples=60", "data.batch_size=8",
    "trainer.eval_steps=2", "trainer.save_steps=2", "trainer.save_minutes=null",
)  # fmt: skip


@pytest.fixture
def bf16_from(monkeypatch):
    """A processor with bf16, which gains from matrix products of so many FLOP on."""

    def set_least(flops):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
        monkeypatch.setattr(precision, "MIN_SIZE", flops)
        monkeypatch.setattr(precision, "MIN_SHARE", 0)

    return set_least


def recorded(path):
    config = yaml.safe_load((path / "config.yaml").read_text())
    return config["trainer"]["precision"]


def used(path):
    """As config.yaml, the header, result.json and the checkpoint say."""
    (header,) = {
        line for line in (path / "train.log").read_text().splitlines() if "precision " in line
    }
    saved = Checkpointer(path / "checkpoints").load("last", print).state["precision"]["name"]
    result = json.loads((path / "result.json").read_text())["precision"]
    return recorded(path), header.split()[1], result, saved


@pytest.mark.parametrize(("least", "expected"), [(0, "bf16"), (1e12, "fp32")])
def test_the_choice_is_recorded_printed_and_kept_on_resume(train, bf16_from, least, expected):
    bf16_from(least)
    path = train(*SMALL, "trainer.max_steps=2").path
    assert used(path) == (expected,) * 4
    bf16_from(1e12 - least)  # another processor
    assert train(f"resume={path}", "trainer.max_steps=4").code == 0
    lines = [x for x in (path / "train.log").read_text().splitlines() if x.startswith("precision")]
    assert [line.split()[1] for line in lines] == [expected] * 2 and recorded(path) == expected
    assert "(auto: " in lines[0] and "(as before)" in lines[1]


def test_an_older_run_goes_on_in_its_checkpoints_format(train, bf16_from):
    """It recorded `auto`, and the trial of another start might have chosen otherwise."""
    path = train(*SMALL, "trainer.max_steps=2", "trainer.precision=bf16").path
    config = yaml.safe_load((path / "config.yaml").read_text())
    config["trainer"]["precision"] = "auto"
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    assert Record.read(path).settings["trainer.precision"] == "bf16"
    bf16_from(1e12)
    assert train(f"resume={path}", "trainer.max_steps=4").code == 0
    assert recorded(path) == "bf16" and "precision  bf16" in (path / "train.log").read_text()


def test_a_sweep_has_one_choice(bf16_from, tmp_path):
    """That of its first trial, whatever the width of the others; one that is set stays."""
    steps = (*SMALL, "trainer.max_steps=1", "trainer.device=cpu", f"output_dir={tmp_path}")
    narrow, wide = (*steps, "model.width=4"), (*steps, "model.width=400")
    broken = ("model=mlp", "data=csv", "data.path=nowhere.csv", "data.target=y")
    bf16_from(2 * 8 * 2 * 50)  # FLOP of a layer 50 wide
    for first, own, expected in (
        (narrow, wide, "fp32"),
        (wide, narrow, "bf16"),
        (wide, (*narrow, "trainer.precision=fp32"), "fp32"),
        ((*broken, "task=classification"), wide, "fp32"),
    ):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        lead = (load(list(first)), list(first))
        assert session.train(load(list(own)), list(own), folder=folder, first=lead).code == 0
        assert recorded(folder) == expected
        by = "set explicitly" if "fp32" in own[-1] else "auto, by the sweep's first trial: matrix"
        assert f"({by}" in (folder / "train.log").read_text()
