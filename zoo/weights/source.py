"""What `init.from` names: weights with the options of the model that they are of, and a tokenizer.

A run directory, a folder of the Hugging Face Hub's form, a file of tensors, or a name on the Hub.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from zoo.config import groups as configs
from zoo.config.run import complete
from zoo.data.encoding import load_encoding
from zoo.data.tokenizers.base import Tokenizer
from zoo.data.tokenizers.published import read_published
from zoo.data.tokenizers.registry import load_tokenizer
from zoo.errors import UserError
from zoo.program import spelled
from zoo.runs.directory import RunDirectory
from zoo.training.checkpoint import Checkpointer
from zoo.weights.bert import BERT
from zoo.weights.family import Family
from zoo.weights.files import Tensors, read_json, read_weights
from zoo.weights.gpt2 import GPT2
from zoo.weights.resnet import RESNET, TORCHVISION

FAMILIES: list[Family] = [GPT2, BERT, RESNET, TORCHVISION]
PATTERNS = ["*.json", "*.txt", "*.safetensors", "pytorch_model*.bin"]  # of a Hub's repository
OPTIONS, TOKENIZER = "zoo.json", "zoo_tokenizer.json"  # of what scripts/export.py writes
PATH_MARKS = (".", "/", "~")  # what a name on the Hub does not start with


@dataclass(frozen=True)
class Source:
    """Weights to start from.

    Attributes:
        path: Where they were found.
        model: The model that they are of.
        settings: Options of that model which the weights decide.
        tensors: By our names.
        tokenizer: That they were trained with, None where there is none.
        adapter: To go on with, None for none or a new one.
    """

    path: Path
    model: str
    settings: dict[str, Any]
    tensors: Tensors
    tokenizer: Tokenizer | None
    adapter: Tensors | None = None

    @property
    def sha256(self) -> str:
        """Of names and values: the identity of a base that adapters belong to."""
        total = hashlib.sha256()
        for name, tensor in sorted(self.tensors.items()):
            total.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
            if tensor.numel():
                total.update(tensor.contiguous().flatten().view(torch.uint8).numpy())
        return total.hexdigest()


def open_source(given: str) -> Source:
    """Find and read weights.

    Args:
        given: A path, or the name of a repository on the Hub.

    Raises:
        UserError: Nothing there, or weights that are of no model of ours.
    """
    place = Path(given).expanduser()
    if not place.exists():
        place = _download(given)
    if place.is_dir() and (newest := _newest_run(place)):
        place = newest
    if (place / "config.yaml").is_file():
        return _of_run(RunDirectory.open(place, "init.from"))
    tensors = read_weights(place)
    folder = place if place.is_dir() else place.parent
    if (folder / OPTIONS).is_file():
        return _of_export(folder, tensors)
    said = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    for family in FAMILIES:
        theirs = family.clean(tensors)
        if family.recognises(theirs):
            try:
                settings = family.settings(theirs, said)
            except (ValueError, KeyError) as error:
                raise UserError(f"init.from={given}: {error}") from None
            ours = family.ours(theirs, settings)
            return Source(place, family.model, settings, ours, read_published(folder))
    names = ", ".join(list(tensors)[:3])
    known = ", ".join(dict.fromkeys(f.name for f in FAMILIES))
    raise UserError(
        f"init.from={given}: weights of no architecture that we know ({len(tensors)} tensors: "
        f"{names}, ...); expected a run directory, or weights of {known}"
    )


def _newest_run(folder: Path) -> Path | None:
    """Of a folder of runs (`outputs/gpt_stdlib`), the newest that is done."""
    for config in sorted(folder.glob("*/config.yaml"), reverse=True):
        result = config.parent / "result.json"
        if result.is_file() and read_json(result).get("status") == "done":
            return config.parent
    return None


def _of_export(folder: Path, tensors: Tensors) -> Source:
    """What `scripts/export.py format=safetensors` wrote."""
    said = read_json(folder / OPTIONS)
    options = {k: v for k, v in said.get("settings", {}).items() if k != "name"}
    tokenizer = None
    if (folder / TOKENIZER).is_file():
        tokenizer = load_tokenizer(read_json(folder / TOKENIZER))
    return Source(folder, str(said.get("model")), options, tensors, tokenizer)


def _of_run(run: RunDirectory) -> Source:
    """The best weights of one of our own runs."""
    settings = complete(configs.read_yaml(run.path / "config.yaml"))
    if settings["adapter"]["name"] != "none":
        raise UserError(
            f"init.from={run.path} holds an adapter without its base; merge them first: "
            + spelled(f"python scripts/export.py run={run.path} format=safetensors out=...")
        )
    saved = Checkpointer(run.checkpoints).load("best", print)
    saved = saved or Checkpointer(run.checkpoints).load("last", print)
    if saved is None:
        raise UserError(f"init.from={run.path} holds no checkpoint; the run did not get that far")
    said = run.read_json("dataset.json")
    encoding = load_encoding(said["encoding"])
    options = {k: v for k, v in settings["model"].items() if k != "name"}
    facts = {k: said["facts"][k] for k in ("block_size",) if k in said["facts"]}
    tensors = saved.tensors.get("ema") or saved.tensors["model"]
    tokenizer = getattr(encoding, "tokenizer", None)
    return Source(run.path, settings["model"]["name"], facts | options, tensors, tokenizer)


def _hint(given: str) -> str:
    """Where the runs of one of our experiments are looked for, how to have one."""
    name = Path(given).name
    return (
        spelled(f"; train it first: python train.py experiment={name}")
        if name in configs.experiments()
        else ""
    )


def _download(given: str) -> Path:
    """A repository of the Hub, in its own cache.

    Raises:
        UserError: No such path, no package, no network.
    """
    if given.startswith(PATH_MARKS) or given.count("/") > 1 or Path(given).suffix:
        raise UserError(f"init.from={given}: there is no such file or folder{_hint(given)}")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise UserError(
            f"init.from={given}: there is no such file or folder{_hint(given)}; to look for it on "
            f"the Hugging Face Hub, install its package: pip install huggingface_hub"
        ) from None
    try:
        return Path(snapshot_download(given, allow_patterns=PATTERNS))
    except Exception as error:  # dozens of kinds, of several packages
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"init.from={given}: no such folder here, and the Hugging Face Hub did not give it "
            f"({type(error).__name__}: {reason})"
        ) from None
