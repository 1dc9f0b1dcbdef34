"""Files that are mapped into memory: the values, and how much memory loading takes."""

import contextlib
import ctypes
import gc
import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from zoo.config.run import InitConfig
from zoo.errors import UserError
from zoo.models.llama import Llama
from zoo.weights import load
from zoo.weights.files import read_weights, weights_sha256
from zoo.weights.frozen import frozen_format
from zoo.weights.llama import LLAMA
from zoo.weights.load import load_weights
from zoo.weights.mapped import drop_pages, map_safetensors
from zoo.weights.source import open_source

PROC = Path("/proc/self")
SIZES = dict(
    vocab_size=16384, block_size=64, width=512, depth=6, heads=8, kv_heads=2, tie=False, bias="none"
)


def test_values_are_those_of_the_package(tmp_path):
    tensors = {
        "a": torch.randn(3, 5).bfloat16(), "b": torch.arange(7), "c": torch.randn(()),
        "d": torch.zeros(0, 4), "e": torch.tensor([True, False]), "f": torch.randn(2).double(),
        "g": torch.randn(3).half(), "h": torch.randint(-9, 9, (5,), dtype=torch.int8),
    }  # fmt: skip
    file = tmp_path / "x.safetensors"
    safetensors.torch.save_file(tensors, file, metadata={"format": "pt"})
    mapped = map_safetensors(file)
    assert mapped.keys() == tensors.keys()
    for _ in range(2):  # pages come back
        for name, tensor in tensors.items():
            assert mapped[name].dtype == tensor.dtype and torch.equal(mapped[name], tensor)
        assert weights_sha256(mapped) == weights_sha256(tensors)
        drop_pages()
    few = {"w": torch.ones(4).to(torch.float8_e4m3fn)}  # of a kind that is not mapped
    safetensors.torch.save_file(few, file)
    assert map_safetensors(file)["w"].dtype == torch.float8_e4m3fn


def checkpoint(folder, parts=2):
    """Published weights in bf16, in several files with an index; their size in bytes."""
    torch.manual_seed(0)
    model = Llama(**SIZES, init="normal").bfloat16()
    tensors = LLAMA.to_published(dict(model.state_dict()), SIZES)
    config = LLAMA.config(SIZES)
    (folder / "config.json").write_text(json.dumps(config))
    names, places = list(tensors), {}
    for k in range(parts):
        file = f"model-{k + 1:05}-of-{parts:05}.safetensors"
        own = names[k * len(names) // parts : (k + 1) * len(names) // parts]
        safetensors.torch.save_file({n: tensors[n] for n in own}, folder / file)
        places |= dict.fromkeys(own, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return model.state_dict(), sum(t.nbytes for t in tensors.values())


def resident(which):
    """Bytes of memory by /proc: VmRSS now, VmHWM at most."""
    lines = (PROC / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(which))


@contextlib.contextmanager
def measured(peak):
    """Appends the growth of resident memory at its peak."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed before is not taken again unseen
    try:
        (PROC / "clear_refs").write_text("5")
    except OSError:
        pytest.skip("this system does not measure peaks of memory anew")
    before = resident("VmRSS")
    yield
    peak.append(resident("VmHWM") - before)


def test_loading_never_holds_two_copies(tmp_path, monkeypatch):
    expected, size = checkpoint(tmp_path)
    monkeypatch.setattr(load, "PIECE", 2**18)
    settings, grown = open_source(str(tmp_path)).settings | {"vocab_size": 16384}, []
    with measured(grown):
        source = open_source(str(tmp_path))
        with frozen_format(InitConfig(dtype="bf16")):
            model = Llama(**settings)
        load_weights(model, source.unpadded, "here", [], [])
    assert all(torch.equal(t, expected[name]) for name, t in model.state_dict().items())
    assert grown[0] < 1.6 * size, f"{grown[0] / size:.2f} times the size"


def test_a_part_that_is_missing(tmp_path):
    checkpoint(tmp_path, parts=3)
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(UserError, match="1 of 3 parts of the weights are missing: model-00002-of"):
        open_source(str(tmp_path))


def test_files_of_torch_are_mapped_too(tmp_path):
    torch.save({"a": torch.randn(2, 3), "b": torch.arange(4)}, tmp_path / "pytorch_model.bin")
    tensors = read_weights(tmp_path)
    if not (PROC / "maps").is_file():
        pytest.skip("this system does not tell what is mapped")
    lines = [line for line in (PROC / "maps").read_text().splitlines() if str(tmp_path) in line]
    ranges = [[int(end, 16) for end in line.split()[0].split("-")] for line in lines]
    assert any(start <= tensors["a"].data_ptr() < stop for start, stop in ranges)
