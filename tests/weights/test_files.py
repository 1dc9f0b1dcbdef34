"""Files of tensors that others wrote, whole, damaged and hostile."""

import json
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from zoo.errors import UserError
from zoo.weights.files import read_json, read_weights

TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor([1.0])}


def same(found):
    return found.keys() == TENSORS.keys() and all(torch.equal(found[k], TENSORS[k]) for k in found)


@pytest.mark.parametrize(
    "content",
    [
        TENSORS,
        {"state_dict": TENSORS, "epoch": 3},
        {"model": {f"module.{name}": t for name, t in TENSORS.items()}},
        {"model": {f"_orig_mod.module.{name}": t for name, t in TENSORS.items()}, "optimizer": {}},
        {"model": {"state_dict": {f"_fsdp_wrapped_module.{n}": t for n, t in TENSORS.items()}}},
        {"of_my_own": TENSORS, "optimizer": {"state": {0: TENSORS}, "param_groups": []}},
    ],
)
def test_a_file_of_torch_save(tmp_path, content):
    torch.save(content, tmp_path / "weights.pth")
    assert same(read_weights(tmp_path / "weights.pth"))
    assert same(read_weights(tmp_path))  # the only one in its folder


def test_a_folder_in_shards(tmp_path):
    for name, tensor in TENSORS.items():
        save_file({name: tensor}, tmp_path / f"{name}.safetensors")
    index = {"weight_map": {name: f"{name}.safetensors" for name in TENSORS}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert same(read_weights(tmp_path))
    (tmp_path / "b.safetensors").rename(tmp_path / "c")
    with pytest.raises(UserError, match="1 of 2 parts of the weights are missing: b.safetensors"):
        read_weights(tmp_path)
    (tmp_path / "c").rename(tmp_path / "b.safetensors")
    index["weight_map"]["more"] = "a.safetensors"
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="1 tensors are in none of the files, as more"):
        read_weights(tmp_path)
    index["weight_map"]["a"] = "../a.safetensors"
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="'../a.safetensors' lies outside the folder"):
        read_weights(tmp_path)


def test_shards_without_an_index(tmp_path):
    names = [f"model-0000{k}-of-00002.safetensors" for k in (1, 2)]
    for file, (name, tensor) in zip(names, TENSORS.items(), strict=True):
        save_file({name: tensor}, tmp_path / file)
    assert same(read_weights(tmp_path))
    with pytest.raises(UserError, match="is one of 2 parts; name their folder"):
        read_weights(tmp_path / names[0])
    (tmp_path / names[1]).unlink()
    with pytest.raises(UserError, match=f"1 of 2 parts of the weights are missing: {names[1]}"):
        read_weights(tmp_path)


def test_several_networks_in_a_file(tmp_path):
    torch.save({"student": TENSORS, "teacher": TENSORS, "epoch": 3}, tmp_path / "dino.pth")
    with pytest.raises(UserError, match="several networks: student, teacher; save"):
        read_weights(tmp_path / "dino.pth")


def test_folders_without_weights_of_their_own(tmp_path):
    for name in ("a.pth", "b.pth", "training_args.bin"):
        torch.save(TENSORS, tmp_path / name)
    with pytest.raises(UserError, match="but a.pth, b.pth; name the file"):
        read_weights(tmp_path)
    (tmp_path / "b.pth").unlink()
    assert same(read_weights(tmp_path))
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="an adapter of PEFT's.* init.adapter="):
        read_weights(tmp_path)
    outer = tmp_path / "outer"
    (outer / "checkpoint-500").mkdir(parents=True)
    save_file(TENSORS, outer / "checkpoint-500" / "model.safetensors")
    with pytest.raises(UserError, match="no weights itself; name a folder in it: checkpoint-500"):
        read_weights(outer)


class Canary:
    def __reduce__(self):
        return os.system, ("touch canary",)


def test_a_pickle_that_would_run_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": TENSORS["a"], "trap": Canary()}, "weights.pt")
    (tmp_path / "bare.bin").write_bytes(pickle.dumps(Canary()))
    for name in ("weights.pt", "bare.bin"):
        with pytest.raises(UserError, match="could run code|is damaged"):
            read_weights(tmp_path / name)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_truncated_file(tmp_path, name):
    path = tmp_path / name
    save_file(TENSORS, path) if "safe" in name else torch.save(TENSORS, path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=f"{name} is damaged") as found:
        read_weights(tmp_path)
    assert "\n" not in str(found.value)


def test_json_beside_weights(tmp_path):
    file = tmp_path / "config.json"
    file.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(file) == {"a": 1}, "Windows editors mark UTF-8"
    file.write_text('{"a":' * 100_000)
    with pytest.raises(UserError, match="config.json cannot be read: maximum recursion"):
        read_json(file)


def test_no_weights(tmp_path):
    with pytest.raises(UserError, match="holds no model.safetensors or pytorch_model.bin"):
        read_weights(tmp_path)
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(UserError, match="expected tensors by name, got a list"):
        read_weights(tmp_path / "list.pt")
    torch.save({"epoch": 2}, tmp_path / "list.pt")
    with pytest.raises(UserError, match="expected tensors by name, found none"):
        read_weights(tmp_path / "list.pt")
