"""Names on the Hugging Face Hub, without a network: requests to its package, messages."""

import sys
from types import SimpleNamespace

import pytest
import torch
import yaml

from zoo.config import compose
from zoo.errors import UserError
from zoo.models.resnet import ResNet
from zoo.weights.hub import hub_name
from zoo.weights.source import open_source


def test_a_name_is_fetched_into_the_hubs_cache(tmp_path, monkeypatch):
    model = ResNet((3, 8, 8), 4, 18, width=4)
    asked = []

    def snapshot_download(name, allow_patterns, local_files_only):
        asked.append(name)
        assert "*.safetensors" in allow_patterns and not any(
            "*.py" in one for one in allow_patterns
        )
        torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
        return str(tmp_path)

    package = SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", package)
    source = open_source("someone/resnet18.a1_in1k")
    open_source("https://huggingface.co/someone/resnet-18/tree/main")
    assert asked == ["someone/resnet18.a1_in1k", "someone/resnet-18"]
    assert source.model == "resnet" and source.settings["width"] == 4


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("gpt2", "gpt2"),
        ("timm/resnet18.a1_in1k", "timm/resnet18.a1_in1k"),
        ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B"),
        ("hf-mirror.com/uer/gpt2-chinese-cluecorpussmall", "uer/gpt2-chinese-cluecorpussmall"),
        ("https://huggingface.co/gpt2", "gpt2"),
        ("models/gpt2.onnx", None),
        ("resnet50-11ad3fa6.pth", None),
        ("~/gpt2", None),
        (r"C:\models\gpt2", None),
        ("模型/gpt2", None),
    ],
)
def test_names_on_the_hub(location, name):
    assert hub_name(location) == name


def resnet(width=4, depth=18):
    return ResNet((3, 8, 8), 4, depth, width=width).state_dict()


@pytest.mark.parametrize("prefix", ["backbone.", "model.", "net.resnet.", "module.encoder."])
def test_a_common_prefix_is_taken_off(prefix, tmp_path):
    tensors = {prefix + name: t for name, t in resnet().items()} | {"queue": torch.ones(2)}
    torch.save({"state_dict": tensors}, tmp_path / "moco.pth")
    source = open_source(str(tmp_path / "moco.pth"))
    assert source.tensors.keys() == {*resnet(), "queue"}
    assert source.notes == (f"the names in moco.pth are read without '{prefix}'",)


def test_several_networks_under_prefixes(tmp_path):
    tensors = {p + n: t for p in ("encoder_q.", "encoder_k.") for n, t in resnet().items()}
    torch.save(tensors, tmp_path / "moco.pth")
    with pytest.raises(UserError, match="several networks in one file .encoder_q., encoder_k.."):
        open_source(str(tmp_path / "moco.pth"))


def test_roberta_is_not_taken_for_bert(tmp_path):
    shapes = {
        "embeddings.word_embeddings.weight": (9, 8),
        "embeddings.position_embeddings.weight": (514, 8),
        "embeddings.token_type_embeddings.weight": (1, 8),
        "encoder.layer.0.attention.self.query.weight": (8, 8),
    }
    tensors = {name: torch.zeros(shape) for name, shape in shapes.items()}
    torch.save(tensors, tmp_path / "trunk.pth")
    with pytest.raises(UserError, match="514 positions and one segment type are RoBERTa's"):
        open_source(str(tmp_path / "trunk.pth"))
    torch.save({f"roberta.{n}": t for n, t in tensors.items()}, tmp_path / "trunk.pth")
    with pytest.raises(UserError, match="weights of roberta, which is not one of gpt2, bert"):
        open_source(str(tmp_path / "trunk.pth"))


def test_a_part_of_a_run_and_places_of_the_cache(tmp_path):
    (tmp_path / "config.yaml").write_text("name: x")
    folder = tmp_path / "checkpoints" / "best-4"
    folder.mkdir(parents=True)
    torch.save({"blocks.0.up.weight": torch.ones(2)}, folder / "model.pt")
    with pytest.raises(UserError, match=f"is a part of a run; name the run: init.from={tmp_path}"):
        open_source(str(folder))
    snapshot = tmp_path / "models--x--y" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    torch.save(resnet(), snapshot / "pytorch_model.bin")
    assert open_source(str(snapshot.parents[1])).path == snapshot


def test_a_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    torch.save(resnet(), tmp_path / "weights.pth")
    assert open_source("~/weights.pth").model == "resnet"
    with pytest.raises(UserError, match="did you mean ~/weights.pth"):
        open_source("~/weihgts.pth")
    with pytest.raises(UserError, match="is nobody's home folder"):
        open_source("~nobody_at_all/weights.pth")


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match="pip install huggingface_hub"):
        open_source("gpt2")


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("no\nspace", "OSError: no space"),
        ("Got: ConnectError: [Errno -2] Name or service not known", "it cannot be reached"),
    ],
)
def test_what_the_hub_refuses_is_one_line(said, answer, monkeypatch):
    def snapshot_download(name, allow_patterns, local_files_only):
        raise OSError(said)

    package = SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", package)
    with pytest.raises(UserError, match=f"did not give it .{answer}") as found:
        open_source("gpt2")
    assert "\n" not in str(found.value)


def test_a_name_that_only_a_run_says_is_not_looked_up(monkeypatch):
    def snapshot_download(name, allow_patterns, local_files_only):
        assert local_files_only
        raise FileNotFoundError("not in the cache")

    package = SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", package)
    with pytest.raises(UserError, match=r"not looked up on the network; .* hf download evil/token"):
        open_source("evil/token", online=False)


def test_the_folder_of_an_experiment_is_not_looked_for_there(monkeypatch):
    package = SimpleNamespace(snapshot_download=None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", package)
    with pytest.raises(UserError, match="train it first: python train.py experiment=gpt_stdlib"):
        open_source("outputs/gpt_stdlib")


@pytest.mark.parametrize("name", ["./weights", "a/b/c", "weights.pth", "/tmp/not/there"])
def test_what_is_a_path_is_not_looked_for_there(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match="there is no such file or folder"):
        open_source(name)


@pytest.mark.parametrize("done", ["2026-01-01_00-00-00", "2026-01-01_00-00-00/seed=0"])
def test_the_newest_run_that_is_done(tmp_path, done):
    """Alone, or a trial of a sweep."""
    config = compose.load(["model=mlp", "data=rain"])
    for name, status in ((done, "done"), ("2026-01-02_00-00-00", "failed")):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
        (tmp_path / name / "config.yaml").write_text(yaml.safe_dump(config.to_dict()))
        (tmp_path / name / "result.json").write_text(f'{{"status": "{status}"}}')
    with pytest.raises(UserError, match=f"{done} holds no checkpoint"):
        open_source(str(tmp_path))


def test_runs_of_which_none_is_done(tmp_path):
    run = tmp_path / "2026-01-01_00-00-00"
    run.mkdir()
    config = compose.load(["model=mlp", "data=rain"])
    (run / "config.yaml").write_text(yaml.safe_dump(config.to_dict()))
    (run / "result.json").write_text('{"status": "interrupted"}')
    said = f"none of the runs there is complete; .* python train.py resume={run}"
    with pytest.raises(UserError, match=said):
        open_source(str(tmp_path))
