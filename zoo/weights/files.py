"""Tensors out of files that others wrote: safetensors, or torch.save's without running code."""

import hashlib
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from zoo.errors import UserError

Tensors = dict[str, Tensor]
NAMES = ("model.safetensors", "pytorch_model.bin")  # in a folder of the Hub's form
ENDINGS = (".safetensors", ".pt", ".pth", ".bin")
WRAPPERS = ("state_dict", "model", "model_state_dict", "state_dict_ema")  # keys of tensors


def read_json(path: Path) -> dict[str, Any]:
    """An object of JSON.

    Raises:
        UserError: It cannot be read, or is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a JSON object, got a {type(content).__name__}")
    return content


def weights_sha256(tensors: Tensors) -> str:
    """Of names, shapes, types and values: the identity of weights."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        if tensor.numel():
            total.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()


def read_weights(path: Path) -> Tensors:
    """The tensors of a file, or of a folder of the Hugging Face Hub's form, sharded or not.

    Raises:
        UserError: No weights there, a damaged file, a pickle that holds more than tensors.
    """
    if path.is_file():
        return read_tensors(path)
    for name in NAMES:
        if (path / name).is_file():
            return read_tensors(path / name)
        if (index := path / f"{name}.index.json").is_file():
            return _read_shards(index)
    candidates = sorted(p for p in path.iterdir() if p.suffix in ENDINGS)
    if len(candidates) == 1:
        return read_tensors(candidates[0])
    listed = ", ".join(p.name for p in candidates) or "no such file"
    raise UserError(
        f"{path} holds no {' or '.join(NAMES)} ({listed}); name the file, or a run directory"
    )


def _read_shards(index: Path) -> Tensors:
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict):
        raise UserError(f"{index}: expected a 'weight_map' of names to files")
    tensors: Tensors = {}
    for name in sorted(set(map(str, shards.values()))):
        if Path(name).name != name:
            raise UserError(f"{index}: '{name}' lies outside the folder")
        tensors |= read_tensors(index.parent / name)
    return tensors


def read_tensors(path: Path) -> Tensors:
    """The tensors of one file, by name.

    Raises:
        UserError: As `read_weights`.
    """
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles of an old kind
            content = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise UserError(f"{path} is damaged or no safetensors file: {error}") from None
    except pickle.UnpicklingError as error:
        reason = next((line for line in str(error).splitlines() if "GLOBAL" in line), "")
        raise UserError(
            f"{path} is refused: it holds more than tensors, and reading that could run code "
            f"({' '.join(reason.split())[:120] or 'pickled objects'}); convert it to safetensors "
            f"where you trust it"
        ) from None
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is damaged or holds no weights: {str(error).splitlines()[0][:200]}"
        ) from None
    return _plain(content, path)


def _plain(content: Any, path: Path) -> Tensors:
    for name in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected tensors by name, got a {type(content).__name__}")
    tensors = {str(name): t for name, t in content.items() if isinstance(t, Tensor)}
    if not tensors:
        raise UserError(f"{path}: expected tensors by name, found none")
    prefixes = ("module.", "_orig_mod.")  # of DistributedDataParallel and torch.compile
    for prefix in prefixes:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): t for name, t in tensors.items()}
    return tensors
