"""Files that hold no weights that can be read: what they are, and what to do, in one line."""

import gzip
import re
import shutil
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from zoo.errors import UserError
from zoo.weights.files import read_json, read_weights

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 548105171\n"
HTML = b"\n<!DOCTYPE html>\n<html><head><title>gpt2 at main</title></head></html>"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.safetensors", b"", "is empty .0 bytes.; download it again"),
        ("model.bin", b"", "is empty .0 bytes.; download it again"),
        ("model.safetensors", LFS, "is a Git LFS pointer, .*'git lfs pull'"),
        ("model.bin", LFS, "is a Git LFS pointer, .*'git lfs pull'"),
        ("model.pth", HTML, "is a web page"),
        ("model.pth", b'<?xml version="1.0"?><Error/>', "is a web page"),
        ("model.bin", b"Entry not found", "is text, no weights .'Entry not found'"),
        ("model.gguf", b"GGUF\3\0\0\0", "is GGUF, the format of llama.cpp"),
        ("model.bin", b"GGUF\3\0\0\0", "is GGUF, the format of llama.cpp"),
        ("tf_model.h5", b"\x89HDF\r\n\x1a\n", "is HDF5, the format of Keras"),
        ("flax_model.msgpack", b"\x81\xa1a\xc0", "is the format of Flax"),
        ("model.onnx", b"\x08\x07\x12\x04test", "is an ONNX graph"),
        ("model.ckpt.data-00000-of-00001", b"\0" * 20, "is a checkpoint of TensorFlow"),
        ("__0_0.distcp", b"PK\5\6" + bytes(18), "is a part of PyTorch's distributed checkpoint"),
        ("model.tar.gz", gzip.compress(b"x", mtime=0), "is a gzip archive; unpack it first"),
        ("model.pth", b"PK\3\4" + bytes(50), "is damaged: its end is missing"),
        ("model.bin", b"\xa9\xf1\x03" * 50, "is damaged, or no file of"),
        ("model.safetensors", b"\xa9\xf1\x03" * 50, "is damaged, or no file of"),
    ],
)
def test_what_a_file_is(name, content, said, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} {said}") as found:
        read_weights(tmp_path / name)
    assert "\n" not in str(found.value)
    with pytest.raises(UserError, match=said):
        read_weights(tmp_path)  # alone in its folder


def test_what_an_archive_is(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.ones(2))
    members = {
        "script.pt": ("a/data.pkl", "a/code/a.py", "a/constants.pkl"),
        "model.zip": ("gpt2/pytorch_model.bin",),
        "graph.pt2": ("graph/archive_format", "graph/models/model.json"),
    }
    for name, inside in members.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member in inside:
                archive.writestr(member, "x")
    for name, said in (
        ("a.npz", "is arrays of NumPy"),
        ("script.pt", "is a TorchScript program"),
        ("graph.pt2", "is a program of torch.export"),
        ("model.zip", "is a zip archive; unpack it first"),
    ):
        with pytest.raises(UserError, match=f"{name} {said}"):
            read_weights(tmp_path / name)


def test_placeholders_of_a_config(tmp_path):
    (tmp_path / "config.json").write_bytes(LFS)
    with pytest.raises(UserError, match="config.json is a Git LFS pointer"):
        read_json(tmp_path / "config.json")


class Hyperparameters:
    """Of a user's own code, pickled into a checkpoint."""


@pytest.mark.parametrize("kind", ["checkpoint", "module"])
def test_a_pickle_is_refused_with_the_command_that_converts_it(kind, tmp_path):
    path = tmp_path / "it's $HOME.ckpt"
    net = torch.nn.Linear(2, 3)
    content = {"pytorch-lightning_version": "2.5", "state_dict": net.state_dict()}
    torch.save(net if kind == "module" else content | {"hp": Hyperparameters()}, path)
    with pytest.raises(UserError, match="could run code; if you trust its author") as found:
        read_weights(path)
    assert ("PyTorch Lightning" in str(found.value)) == (kind == "checkpoint")
    quoted = str(found.value).partition('python -c "')[2].removesuffix('"')
    exec(re.sub(r"\\(.)", r"\1", quoted), {})  # as a shell unquotes it
    assert load_file(path.with_suffix(".safetensors")).keys() == {"weight", "bias"}
    assert torch.equal(read_weights(path.with_suffix(".safetensors"))["weight"], net.weight)


def test_a_lightning_checkpoint_of_plain_values_is_read(tmp_path):
    tensors = {"model.a": torch.ones(2)}
    content = {"pytorch-lightning_version": "2.5", "state_dict": tensors, "hyper_parameters": {}}
    torch.save(content, tmp_path / "last.ckpt")
    assert read_weights(tmp_path / "last.ckpt").keys() == tensors.keys()
    shutil.move(tmp_path / "last.ckpt", tmp_path / "last.safetensors")  # content counts, not names
    assert read_weights(tmp_path).keys() == tensors.keys()
