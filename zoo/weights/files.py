"""Tensors out of files that others wrote: safetensors, or torch.save's without running code.

What a file holds is told by its content, not by its name.
"""

import hashlib
import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from zoo.errors import UserError
from zoo.weights.foreign import (
    conversion,
    describe_foreign,
    describe_placeholder,
    is_lightning,
    is_safetensors,
)
from zoo.weights.mapped import drop_pages, map_safetensors

Tensors = dict[str, Tensor]
NAMES = ("model.safetensors", "pytorch_model.bin")  # in a folder of the Hub's form
SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})(\.safetensors|\.bin)")
ENDINGS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".tar")
STATES = re.compile(r"(training_args|optimizer|scheduler|scaler|rng_state.*)\.(bin|pt|pth)")
INNER = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")  # anywhere in names
OUTER = "module."  # of DistributedDataParallel
WRAPPERS = (  # keys of tensors, in files of torch.save
    "state_dict", "model", "model_state_dict", "state_dict_ema", "module", "net", "network",
    "weights", "params",
)  # fmt: skip


def read_json(path: Path) -> dict[str, Any]:
    """An object of JSON.

    Raises:
        UserError: It cannot be read, or is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        what = describe_placeholder(path) if path.is_file() else None
        raise UserError(f"{path} {what or f'cannot be read: {error}'}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a JSON object, got a {type(content).__name__}")
    return content


def weights_sha256(tensors: Mapping[str, Tensor]) -> str:
    """Of names, shapes, types and values: the identity of weights."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        if tensor.numel():
            total.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        drop_pages()
    return total.hexdigest()


def read_weights(path: Path) -> Tensors:
    """The tensors of a file, or of a folder of the Hugging Face Hub's form, sharded or not.

    Raises:
        UserError: No weights there, a damaged file, a pickle that holds more than tensors.
    """
    if path.is_file():
        if path.name.endswith(".index.json"):
            return _read_shards(path)
        if (shard := SHARD.fullmatch(path.name)) and int(shard[3]) > 1:
            raise UserError(f"{path} is one of {int(shard[3])} parts; name their folder")
        return read_tensors(path)
    for name in NAMES:
        if (path / name).is_file():
            return read_tensors(path / name)
        if (index := path / f"{name}.index.json").is_file():
            return _read_shards(index)
    files = sorted(p for p in path.iterdir() if p.is_file())
    if shards := [match for p in files if (match := SHARD.fullmatch(p.name))]:
        name, _, number, ending = shards[0].groups()
        parts = [f"{name}-{k + 1:05}-of-{number}{ending}" for k in range(int(number))]
        return _read_parts(path, parts)
    candidates = [p for p in files if p.suffix in ENDINGS and not STATES.fullmatch(p.name)]
    if len(candidates) == 1 and not (path / "adapter_config.json").is_file():
        return read_tensors(candidates[0])
    raise UserError(_no_weights(path, files, candidates))


def _no_weights(folder: Path, files: list[Path], candidates: list[Path]) -> str:
    """Why a folder has no weights to read, and where they may be."""
    names = [p.name for p in folder.iterdir() if p.is_dir() and _has_weights(p)]
    if (folder / "adapter_config.json").is_file():
        return (
            f"{folder} holds an adapter of PEFT's, not the model that it belongs to: "
            f"init.from=<its base> adapter=lora init.adapter={folder}"
        )
    if candidates:
        listed = ", ".join(p.name for p in candidates)
        return f"{folder} holds no {' or '.join(NAMES)}, but {listed}; name the file"
    if names:
        listed = ", ".join(sorted(names)[:5])
        return f"{folder} holds no weights itself; name a folder in it: {listed}"
    for file in files:
        if file.suffix not in (".json", ".txt", ".md") and (what := describe_foreign(file)):
            return f"{folder} holds no {' or '.join(NAMES)}; {file.name} {what}"
    return f"{folder} holds no {' or '.join(NAMES)}; name a file of weights, or a run directory"


def _has_weights(folder: Path) -> bool:
    return any((folder / name).is_file() for name in NAMES)


def _read_shards(index: Path) -> Tensors:
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict):
        raise UserError(f"{index}: expected a 'weight_map' of names to files")
    names = sorted(set(map(str, shards.values())))
    for name in names:
        if Path(name).name != name:
            raise UserError(f"{index}: '{name}' lies outside the folder")
    tensors = _read_parts(index.parent, names)
    if lost := [name for name in shards if name not in tensors]:
        raise UserError(f"{index}: {len(lost)} tensors are in none of the files, as {lost[0]}")
    return tensors


def _read_parts(folder: Path, names: list[str]) -> Tensors:
    """The tensors of all files.

    Raises:
        UserError: One is missing; one cannot be read.
    """
    if missing := [name for name in names if not (folder / name).is_file()]:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise UserError(
            f"{folder}: {len(missing)} of {len(names)} parts of the weights are missing: "
            f"{', '.join(missing[:3])}{more}; download them again"
        )
    tensors: Tensors = {}
    for name in names:
        tensors |= read_tensors(folder / name)
    return tensors


def read_tensors(path: Path) -> Tensors:
    """The tensors of one file, by name.

    Raises:
        UserError: As `read_weights`.
    """
    try:
        if is_safetensors(path):
            return map_safetensors(path)
        if what := describe_foreign(path):
            raise UserError(f"{path} {what}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles of an old kind
            content = _unpickled(path)
    except SafetensorError as error:
        raise UserError(f"{path} is damaged or no safetensors file: {error}") from None
    except pickle.UnpicklingError as error:
        raise UserError(_refused_pickle(path, error)) from None
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        raise UserError(f"{path} is damaged or holds no weights: {reason}") from None
    return _plain(content, path)


def _unpickled(path: Path) -> Any:
    """The content of a file of torch.save, tensors read where they are needed if it is a zip."""
    if zipfile.is_zipfile(path) and path.suffix != ".safetensors":
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    with path.open("rb") as file:  # torch would go by its name
        return torch.load(file, map_location="cpu", weights_only=True)


def _refused_pickle(path: Path, error: pickle.UnpicklingError) -> str:
    name = re.search(r"GLOBAL (\S+)", str(error))  # what the pickle would have called
    with path.open("rb") as file:
        is_pickle = file.read(1) == b"\x80"
    if name is None and not is_pickle:
        return f"{path} is damaged, or no file of safetensors or torch.save"
    origin = " (a checkpoint of PyTorch Lightning)" if is_lightning(path) else ""
    return (
        f"{path} is refused{origin}: it holds more than tensors "
        f"({name[1] if name else 'pickled objects'}), and reading that could run code; if you "
        f"trust its author, convert it: {conversion(path)}"
    )


def _plain(content: Any, path: Path) -> Tensors:
    """The tensors by name, of a file that may hold them among other things."""
    while isinstance(content, dict) and (
        name := next((n for n in WRAPPERS if isinstance(content.get(n), dict)), None)
    ):
        content = content[name]
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected tensors by name, got a {type(content).__name__}")
    tensors = {str(name): t for name, t in content.items() if isinstance(t, Tensor)}
    if not tensors:
        inner = {name: _tensors_of(value) for name, value in content.items()}
        inner = {name: found for name, found in inner.items() if found}
        if len(inner) > 1:
            raise UserError(
                f"{path} holds several networks: {', '.join(map(str, inner))}; save the state_dict "
                f"of one in a file of its own"
            )
        tensors = next(iter(inner.values()), {})
    if not tensors:
        listed = ", ".join(map(str, list(content)[:5])) or "nothing"
        raise UserError(f"{path}: expected tensors by name, found none (its keys: {listed})")
    for part in INNER:
        tensors = {name.replace(part, ""): t for name, t in tensors.items()}
    while all(name.startswith(OUTER) for name in tensors):
        tensors = {name.removeprefix(OUTER): t for name, t in tensors.items()}
    return tensors


def _tensors_of(content: Any) -> Tensors:
    if not isinstance(content, dict):
        return {}
    return {n: t for n, t in content.items() if isinstance(n, str) and isinstance(t, Tensor)}
