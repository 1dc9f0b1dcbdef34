"""Names on the Hugging Face Hub, without a network: requests to its package, messages."""

import sys
from types import SimpleNamespace

import pytest
import torch
import yaml

from zoo.config import compose
from zoo.errors import UserError
from zoo.models.resnet import ResNet
from zoo.weights.source import open_source


def test_a_name_is_fetched_into_the_hubs_cache(tmp_path, monkeypatch):
    model = ResNet((3, 8, 8), 4, 18, width=4)
    asked = []

    def snapshot_download(name, allow_patterns):
        asked.append(name)
        assert "*.safetensors" in allow_patterns and not any(
            "*.py" in one for one in allow_patterns
        )
        torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
        return str(tmp_path)

    package = SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", package)
    source = open_source("someone/resnet-18")
    assert asked == ["someone/resnet-18"]
    assert source.model == "resnet" and source.settings["width"] == 4


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match="pip install huggingface_hub"):
        open_source("gpt2")
    with pytest.raises(UserError, match="train it first: python train.py experiment=gpt_stdlib"):
        open_source("outputs/gpt_stdlib")


def test_what_the_hub_refuses_is_one_line(monkeypatch):
    def snapshot_download(name, allow_patterns):
        raise OSError("no\nnetwork")

    package = SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", package)
    with pytest.raises(UserError, match="did not give it .OSError: no network") as found:
        open_source("gpt2")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("name", ["./weights", "a/b/c", "weights.pth", "/tmp/not/there"])
def test_what_is_a_path_is_not_looked_for_there(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match="there is no such file or folder"):
        open_source(name)


def test_the_newest_run_that_is_done(tmp_path):
    config = compose.load(["model=mlp", "data=rain"])
    for name, status in (("2026-01-01_00-00-00", "done"), ("2026-01-02_00-00-00", "failed")):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
        (tmp_path / name / "config.yaml").write_text(yaml.safe_dump(config.to_dict()))
        (tmp_path / name / "result.json").write_text(f'{{"status": "{status}"}}')
    with pytest.raises(UserError, match="2026-01-01_00-00-00 holds no checkpoint"):
        open_source(str(tmp_path))
