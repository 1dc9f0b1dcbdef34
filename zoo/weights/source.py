"""Sources of `init.from`: weights, the options of their model, and a tokenizer.

A run directory, a folder of the Hugging Face Hub's form, a file of tensors, or a name on the Hub.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.config import groups as configs
from zoo.config.saved import read_config
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
from zoo.weights.files import Tensors, read_json, read_weights, weights_sha256
from zoo.weights.gpt2 import GPT2
from zoo.weights.resnet import RESNET, TORCHVISION

FAMILIES: list[Family] = [GPT2, BERT, RESNET, TORCHVISION]
PATTERNS = ["*.json", "*.txt", "*.safetensors", "pytorch_model*.bin"]  # of a Hub's repository
OPTIONS, TOKENIZER = "zoo.json", "zoo_tokenizer.json"  # of what scripts/export.py writes
PATH_MARKS = (".", "/", "~")  # a name on the Hub does not start with these


@dataclass(frozen=True)
class Source:
    """Weights to start from.

    Attributes:
        path: Where they were found.
        model: The name of their model.
        settings: Options of that model which the weights decide.
        tensors: By our names.
        tokenizer: The one they were trained with, or None.
        adapter: Of `init.adapter`, to continue with; None for a new one or none.
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
        return weights_sha256(self.tensors)


def open_source(location: str) -> Source:
    """Find and read weights.

    Args:
        location: A path, or the name of a repository on the Hub.

    Raises:
        UserError: Nothing there, or weights of an unknown architecture.
    """
    path = Path(location).expanduser()
    if not path.exists():
        path = _download(location)
    if path.is_dir() and (newest := newest_run(path)):
        path = newest
    if (path / "config.yaml").is_file():
        return _of_run(RunDirectory.open(path, "init.from"))
    tensors = read_weights(path)
    folder = path if path.is_dir() else path.parent
    if (folder / OPTIONS).is_file():
        return _of_export(folder, tensors)
    file = folder / "config.json"
    hub_config = read_json(file) if file.is_file() else {}
    for family in FAMILIES:
        published = family.clean(tensors)
        if family.recognises(published):
            try:
                settings = family.settings(published, hub_config)
            except (ValueError, KeyError) as error:
                raise UserError(f"init.from={location}: {error}") from None
            renamed = family.from_published(published, settings)
            return Source(path, family.model, settings, renamed, read_published(folder))
    names = ", ".join(list(tensors)[:3])
    known = ", ".join(dict.fromkeys(f.name for f in FAMILIES))
    raise UserError(
        f"init.from={location}: weights of no known architecture ({len(tensors)} tensors: "
        f"{names}, ...); expected a run directory, or weights of {known}"
    )


def newest_run(folder: Path) -> Path | None:
    """Of a folder of runs (`outputs/gpt_stdlib`), the newest that is done."""
    for config in sorted(folder.glob("*/config.yaml"), reverse=True):
        result = config.parent / "result.json"
        if result.is_file() and read_json(result).get("status") == "done":
            return config.parent
    return None


def _of_export(folder: Path, tensors: Tensors) -> Source:
    """A folder that `scripts/export.py format=safetensors` wrote."""
    export = read_json(folder / OPTIONS)
    options = {k: v for k, v in export.get("settings", {}).items() if k != "name"}
    tokenizer = None
    if (folder / TOKENIZER).is_file():
        tokenizer = load_tokenizer(read_json(folder / TOKENIZER))
    return Source(folder, str(export.get("model")), options, tensors, tokenizer)


def _of_run(run: RunDirectory) -> Source:
    """The best weights of one of our own runs."""
    config = read_config(run.path)
    if config.adapter["name"] != "none":
        raise UserError(
            f"init.from={run.path} holds an adapter without its base; merge them first: "
            + spelled(f"python scripts/export.py run={run.path} format=safetensors out=...")
        )
    saved = Checkpointer(run.checkpoints).load("best", print)
    saved = saved or Checkpointer(run.checkpoints).load("last", print)
    if saved is None:
        raise UserError(f"init.from={run.path} holds no checkpoint; the run did not get that far")
    dataset = run.read_json("dataset.json")
    encoding = load_encoding(dataset["encoding"])
    options = {k: v for k, v in config.model.items() if k != "name"}
    facts = {k: v for k, v in dataset["facts"].items() if k == "block_size"}
    tensors = saved.tensors.get("ema") or saved.tensors["model"]
    tokenizer = encoding.tokenizer
    return Source(run.path, config.model["name"], facts | options, tensors, tokenizer)


def _hint(location: str) -> str:
    """How to get the run of one of our experiments that is looked for."""
    name = Path(location).name
    return (
        spelled(f"; train it first: python train.py experiment={name}")
        if name in configs.experiments()
        else ""
    )


def _download(location: str) -> Path:
    """A repository of the Hub, in its own cache.

    Raises:
        UserError: No such path, no package, no network.
    """
    if location.startswith(PATH_MARKS) or location.count("/") > 1 or Path(location).suffix:
        raise UserError(f"init.from={location}: there is no such file or folder{_hint(location)}")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise UserError(
            f"init.from={location}: there is no such file or folder{_hint(location)}; to look for "
            f"it on the Hugging Face Hub, install its package: pip install huggingface_hub"
        ) from None
    try:
        return Path(snapshot_download(location, allow_patterns=PATTERNS))
    except Exception as error:  # dozens of kinds, of several packages
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"init.from={location}: no such folder here, and the Hugging Face Hub did not give it "
            f"({type(error).__name__}: {reason})"
        ) from None
