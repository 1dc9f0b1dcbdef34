"""Checkpoints that survive a crash: written completely or not at all, and verified.

A checkpoint is a folder `<kind>-<step>` of safetensors files and one JSON file. It is written
under a temporary name, each file flushed to the disk, a manifest with the SHA-256 of each file
last; then the folder is renamed. A reader trusts only a manifest that verifies, falls back to the
checkpoint before, and never unpickles.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from zoo.errors import TrainingFailed, UserError
from zoo.files import WRITING, atomic_folder, write_synced

FORMAT = 1
KEEP = 2
NAME = re.compile(r"(last|best)-(\d{8,})")
MANIFEST = "manifest.json"
STATE = "state.json"
Tensors = dict[str, Tensor]


@dataclass
class Checkpoint:
    """A verified checkpoint: tensors by file and name, and the JSON state."""

    path: Path
    step: int
    tensors: dict[str, Tensors]
    state: dict[str, Any]


class Damaged(Exception):
    """A checkpoint that does not verify; the text says why."""


class Checkpointer:
    """Writes, prunes and reads the checkpoints of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, kind: str, step: int) -> Path:
        """Where the checkpoint of a kind and step is, once it is saved."""
        return self.folder / f"{kind}-{step:08d}"

    def save(
        self, kind: str, step: int, tensors: dict[str, Tensors], state: dict[str, Any]
    ) -> None:
        """Write a checkpoint, and keep the last two of its kind. One of the same step is replaced;
        after a crash in between, the one before is still there.

        Args:
            kind: `last` (everything that decides the next step) or `best` (weights only).
            step: Optimizer steps taken.
            tensors: By file name (without ending), then by tensor name.
            state: JSON.

        Raises:
            TrainingFailed: Weights that are not finite; no such checkpoint is ever written.
            UserError: The disk is full or cannot be written; older checkpoints are untouched.
        """
        for name, tensor in tensors["model"].items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise TrainingFailed(f"weights of {name} are not finite after step {step}")
        final = self.path(kind, step)
        only = self._newest_first(kind) == [final]  # never at risk for the sake of a newer state
        if (kind == "best" or only) and final.exists() and self._verifies(final):
            return
        contents = {f"{name}.safetensors": safetensors.torch.save(t) for name, t in tensors.items()}
        contents[STATE] = json.dumps(state).encode()
        try:
            with atomic_folder(final, replace=True) as folder:
                _write(folder, contents, {"format": FORMAT, "kind": kind, "step": step})
            self._prune(kind)
        except OSError as error:
            raise UserError(self._disk_error_message(error, contents)) from None

    def _disk_error_message(self, error: OSError, contents: dict[str, bytes]) -> str:
        needed = sum(map(len, contents.values()))
        free = shutil.disk_usage(self.folder).free if self.folder.exists() else 0
        names = [path.name for path in self._newest_first("last")]
        return (
            f"cannot write a checkpoint in {self.folder}: {error.strerror or error}; it needs "
            f"{needed:,} bytes, {free:,} are free; make room and continue with "
            f"resume={self.folder.parent} (kept: {', '.join(names) or 'none'})"
        )

    def _newest_first(self, kind: str) -> list[Path]:
        """Checkpoints of a kind."""
        if not self.folder.is_dir():
            return []
        named = ((NAME.fullmatch(path.name), path) for path in self.folder.iterdir())
        numbered = [(int(m[2]), path) for m, path in named if m and m[1] == kind]
        return [path for _, path in sorted(numbered, reverse=True)]

    def _prune(self, kind: str) -> None:
        for path in self._newest_first(kind)[KEEP:]:
            shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.glob(f"{WRITING}*"):
            shutil.rmtree(path, ignore_errors=True)

    def _verifies(self, path: Path) -> bool:
        try:
            read(path)
        except Damaged:
            return False
        return True

    def load(self, kind: str, warn: Callable[[str], None]) -> Checkpoint | None:
        """The newest checkpoint of a kind that verifies, or None where there is none at all.

        Args:
            kind: `last` or `best`.
            warn: Called with a warning for each damaged checkpoint that is skipped.

        Raises:
            UserError: There are checkpoints, but each is damaged.
        """
        reasons = []
        for path in self._newest_first(kind):
            try:
                checkpoint = read(path)
            except Damaged as error:
                reasons.append(f"{path.name}: {error}")
                warn(f"checkpoint {path} is damaged ({error}); falling back to the one before")
            else:
                return checkpoint
        if reasons:
            raise UserError(
                f"no checkpoint of kind '{kind}' in {self.folder} can be trusted: "
                f"{'; '.join(reasons)}; start the run again"
            )
        return None

    def discard_after(self, step: int) -> None:
        """Remove checkpoints that a fallback to `step` has made invalid, and what a kill during
        a save left behind."""
        for kind in ("last", "best"):
            for path in self._newest_first(kind):
                if int(path.name.split("-")[1]) > step:
                    shutil.rmtree(path, ignore_errors=True)
            self._prune(kind)


def _write(folder: Path, contents: dict[str, bytes], head: dict[str, Any]) -> None:
    """The files, each flushed to the disk, and last the manifest that vouches for them."""
    files = {}
    for name, content in contents.items():
        write_synced(folder / name, content)
        files[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    manifest = head | {"files": files}
    manifest["sha256"] = _digest(manifest)
    write_synced(folder / MANIFEST, json.dumps(manifest, indent=1).encode())


def _digest(manifest: dict[str, Any]) -> str:
    text = json.dumps({k: v for k, v in manifest.items() if k != "sha256"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read(path: Path) -> Checkpoint:
    """Read one checkpoint folder, verified against its manifest.

    Raises:
        Damaged: Anything missing, altered, or not what a checkpoint holds.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        if manifest["sha256"] != _digest(manifest):
            raise Damaged(f"{MANIFEST} was altered")
        if manifest["format"] != FORMAT:
            raise Damaged(f"format {manifest['format']}, this version reads {FORMAT}")
        if path.name != (name := f"{manifest['kind']}-{manifest['step']:08d}"):
            raise Damaged(f"it is a copy of {name}")
        contents = {name: _verified(path, name, proof) for name, proof in manifest["files"].items()}
        tensors = {
            name.removesuffix(".safetensors"): safetensors.torch.load(content)
            for name, content in contents.items()
            if name.endswith(".safetensors")
        }
        return Checkpoint(path, manifest["step"], tensors, json.loads(contents[STATE]))
    except (OSError, LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged(f"{type(error).__name__}: {error}") from None
    except SafetensorError as error:
        raise Damaged(str(error)) from None


def _verified(path: Path, name: str, proof: dict[str, Any]) -> bytes:
    if Path(name).name != name or (path / name).is_symlink():
        raise Damaged(f"{name} lies outside the checkpoint")
    content = (path / name).read_bytes()
    if len(content) != proof["bytes"]:
        raise Damaged(f"{name} has {len(content):,} bytes, expected {proof['bytes']:,}")
    if hashlib.sha256(content).hexdigest() != proof["sha256"]:
        raise Damaged(f"{name} does not match its SHA-256")
    return content


def model_tensors(state: Tensors) -> Tensors:
    """Weights ready to be written: on the CPU, each storage once (tied weights share one)."""
    return {name: t.detach().to("cpu").contiguous() for name, t in untied(state).items()}


def trainable_state_dict(model: nn.Module) -> Tensors:
    """State that training changes, by name: all of a model's, or only the trained part of a model
    whose base an adapter has frozen."""
    state = model.state_dict(keep_vars=True)
    if getattr(model, "adapted", False):
        counted = _trained_buffers(model)
        return {name: t for name, t in state.items() if t.requires_grad or name in counted}
    return state


def _trained_buffers(model: nn.Module) -> set[str]:
    """Running statistics and the like of parts whose weights are trained whole (a new block)."""
    names = set()
    for path, module in model.named_modules():
        trained = (n for n, p in module.named_parameters() if p.requires_grad and "lora_" not in n)
        if path and any(True for _ in module.buffers(recurse=False)) and any(trained):
            names |= {f"{path}.{name}" for name, _ in module.named_buffers(recurse=False)}
    return names


def trainable_tensors(model: nn.Module) -> Tensors:
    """The state that training changes, ready to be written."""
    return model_tensors(trainable_state_dict(model))


def untied(state: Tensors) -> Tensors:
    """The tensors of a state; tied ones, which share storage, under their first name only."""
    keys, tensors = set(), {}
    for name, tensor in state.items():
        key = (tensor.data_ptr(), tensor.shape, tensor.stride())
        if tensor.numel() and key in keys:
            continue
        keys.add(key)
        tensors[name] = tensor
    return tensors


def tied_names(model: nn.Module) -> set[str]:
    """Names of tensors that are tied to one with an earlier name."""
    state = {name: t for name, t in model.state_dict().items() if ".lora_" not in name}
    return state.keys() - untied(state).keys()


def load_model(model: nn.Module, tensors: Tensors, where: Path) -> None:
    """Fill a model from a checkpoint's tensors; tied weights follow the one that was written.

    Raises:
        UserError: Names or shapes that do not fit, the first few listed.
    """
    state = trainable_state_dict(model)
    expected = model_tensors(state)
    wrong = [
        f"{name} is missing"
        if name not in tensors
        else f"{name} is {tuple(tensors[name].shape)}, the model has {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name not in tensors or tensors[name].shape != tensor.shape
    ]
    wrong += [f"{name} is unexpected" for name in tensors.keys() - expected.keys()]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise UserError(f"{where} does not fit the model: {'; '.join(wrong[:3])}{more}")
    with torch.no_grad():
        for name, tensor in tensors.items():
            state[name].copy_(tensor)
