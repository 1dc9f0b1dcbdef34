"""Sources of `init.from`: weights, the options of their model, and a tokenizer.

A run directory, a folder of the Hugging Face Hub's form, a file of tensors, or a name on the Hub.
"""

import shlex
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo.config.saved import read_config
from zoo.data.encoding import load_encoding
from zoo.data.tokenizers.base import Tokenizer
from zoo.data.tokenizers.published_files import FILES as TOKENIZER_FILES
from zoo.data.tokenizers.published_files import read_published
from zoo.data.tokenizers.registry import load_tokenizer
from zoo.errors import UserError
from zoo.files import user_path
from zoo.program import spelled
from zoo.runs.directory import RunDirectory
from zoo.runs.find import newest_done, runs_below
from zoo.schema import matches_type
from zoo.training.checkpoint import Checkpointer
from zoo.weights.bert import BERT
from zoo.weights.deepseek import DEEPSEEK
from zoo.weights.family import Family, Joined
from zoo.weights.fields import words
from zoo.weights.files import Tensors, read_json, read_weights, weights_sha256
from zoo.weights.foreign import describe_placeholder
from zoo.weights.gpt2 import GPT2
from zoo.weights.gpt_llama import GPT_LLAMA
from zoo.weights.hub import download
from zoo.weights.llama import LLAMA
from zoo.weights.mamba import MAMBA
from zoo.weights.resnet import RESNET, TORCHVISION

FAMILIES: list[Family] = [GPT2, BERT, DEEPSEEK, LLAMA, RESNET, TORCHVISION, MAMBA]
WRITTEN: list[Family] = [*FAMILIES, GPT_LLAMA]  # as which our models leave
OPTIONS, TOKENIZER = "zoo.json", "zoo_tokenizer.json"  # of what scripts/export.py writes
PREPROCESSOR = "preprocessor_config.json"
CONFIGS = ("config.json", "bert_config.json")  # the latter of Google's own files
BY_TOKEN = ("embedding.weight", "head.weight", "head.bias")  # one row for each
MAX_PADDING = 1024  # rows; with more, the tokenizer is another one than the weights'
OTHER_FAMILIES = words(  # whose layers are named as BERT's, and mean something else
    """
    camembert data2vec_text electra ernie esm layoutlm layoutlmv3 longformer mpnet nezha roberta
    roformer splinter tapas text_model xlm_roberta xmod
    """
)


@dataclass(frozen=True)
class Source:
    """Weights to start from.

    Attributes:
        path: Where they were found.
        model: The name of their model.
        settings: Options of that model which the weights decide.
        tensors: By our names; those of published files are read where they are needed.
        tokenizer: The one they were trained with, or None.
        adapter: Of `init.adapter`, to continue with; None for a new one or none.
        notes: How they were understood, a line each.
        pixels: Mean and standard deviation of the images that they expect, per channel; or None.
        extras: Tensors of a part that few models have: left out where it is not there.
        facts: Of the data of one of our own runs: the names of its columns, of its classes.
    """

    path: Path
    model: str
    settings: dict[str, Any]
    tensors: Mapping[str, Tensor]
    tokenizer: Tokenizer | None
    adapter: Tensors | None = None
    notes: tuple[str, ...] = ()
    pixels: tuple[list[float], list[float]] | None = None
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Of names and values: the identity of a base that adapters belong to."""
        return weights_sha256(self.tensors)

    @property
    def unpadded(self) -> Mapping[str, Tensor]:
        """The tensors without rows that belong to no token of the tokenizer."""
        if not _padding(self.tensors, self.tokenizer):
            return self.tensors
        assert self.tokenizer is not None and isinstance(self.tensors, Joined)
        return self.tensors.first_rows(BY_TOKEN, self.tokenizer.vocab_size)

    def for_model(self, names: Container[str]) -> Mapping[str, Tensor]:
        """The tensors for a model, with the extra ones that it has a place for."""
        extras = {name: tensor for name, tensor in self.extras.items() if name in names}
        if not extras:
            return self.unpadded
        assert isinstance(self.unpadded, Joined)
        return self.unpadded.with_more(extras)


def open_source(location: str, online: bool = True) -> Source:
    """Find and read weights.

    Args:
        location: A path, or the name of a repository on the Hub.
        online: Whether the Hub may be asked: for what the user typed, not for what a run's config
            says.

    Raises:
        UserError: Nothing there, or weights of an unknown architecture.
    """
    path = _find(location, online)
    if path.is_dir() and (newest := newest_done(path)):
        path = newest
    if (path / "config.yaml").is_file():
        return _of_run(RunDirectory.open(path, "init.from"))
    try:
        tensors = read_weights(path)
    except UserError:
        if not (runs := runs_below(path)):
            raise
        resume = spelled(shlex.join(["python", "train.py", f"resume={max(runs)}"]))
        raise UserError(
            f"init.from={location}: none of the runs there is complete; name one of them, whose "
            f"best weights are then taken, or complete one: {resume}"
        ) from None
    folder = path if path.is_dir() else path.parent
    if (folder / OPTIONS).is_file():
        return _of_export(folder, tensors)
    try:
        return _of_family(path, folder, tensors)
    except ValueError as error:
        raise UserError(f"init.from={location}: {error}") from None


def _find(location: str, online: bool) -> Path:
    """The path, or where the Hub's package keeps the repository of that name."""
    path = user_path(location)
    if not path.exists():
        return download(location, online)
    snapshots = list(path.glob("snapshots/*/"))  # a folder of the Hub's cache
    return snapshots[0] if len(snapshots) == 1 else path


def _of_family(path: Path, folder: Path, tensors: Tensors) -> Source:
    """Published weights.

    Raises:
        UserError: Of no architecture that is known.
        ValueError: Our model of that architecture is not the same.
    """
    file = next((folder / n for n in CONFIGS if (folder / n).is_file()), None)
    config = read_json(file) if file else {}
    for family in FAMILIES:
        prefix, bare = without_prefix(tensors, family.marks)
        if bare is None:
            continue
        config, notes = family.fields.check(config)
        published = family.clean(bare)
        settings = family.settings(published, config)
        renamed = family.from_published(published, settings)
        if prefix:
            notes.append(f"the names in {path.name} are read without '{prefix}'")
        if file is None and settings.get("heads"):
            chosen = ", ".join(f"{k}={settings[k]}" for k in ("heads", "activation"))
            notes.append(f"no config.json beside the weights: taken to be published with {chosen}")
        tokenizer = _read_tokenizer(folder)
        reads_text = "embedding.weight" in renamed
        if tokenizer is None and reads_text:
            notes.append("no tokenizer beside the weights: its ids must be those of the data's own")
        if padding := _padding(renamed, tokenizer):
            notes.append(f"the vocabulary is padded: its last {padding} rows are left out")
        extras, said = family.extras(bare), tuple(notes)
        source = Source(path, family.model, settings, renamed, tokenizer, notes=said, extras=extras)
        return source if reads_text else replace(source, pixels=_pixels(folder, config))
    raise UserError(_unknown(path, tensors, config))


def _pixels(folder: Path, config: dict[str, Any]) -> tuple[list[float], list[float]] | None:
    """How images were normalised, by `transformers`' preprocessor or timm's config."""
    stated, prefix = config.get("pretrained_cfg"), ""
    if (file := folder / PREPROCESSOR).is_file():
        stated, prefix = read_json(file), "image_"
        if stated.get("do_normalize") is False:
            return None
    if not isinstance(stated, dict):
        return None
    mean, std = stated.get(f"{prefix}mean"), stated.get(f"{prefix}std")
    are_numbers = matches_type(mean, list[float]) and matches_type(std, list[float])
    return (mean, std) if are_numbers else None  # type: ignore[return-value]  # checked


def _read_tokenizer(folder: Path) -> Tokenizer | None:
    """The tokenizer beside published weights, None where there is none.

    Raises:
        UserError: One that cannot be read; a placeholder, which a vocabulary in lines may be.
    """
    for name in TOKENIZER_FILES:
        if (folder / name).is_file() and (what := describe_placeholder(folder / name)):
            raise UserError(f"{folder / name} {what}")
    return read_published(folder)


def without_prefix(tensors: Tensors, marks: tuple[str, ...]) -> tuple[str, Tensors | None]:
    """The prefix before a family's names (`backbone.`), and the tensors with it taken off.

    Args:
        tensors: As stored.
        marks: Names that only the family has, the longest first.

    Returns:
        The prefix, and None where none of the marks is there.

    Raises:
        ValueError: Several networks of the family; one of another family with such names.
    """
    for mark in marks:
        ends = [name for name in tensors if f".{name}".endswith(f".{mark}")]
        prefixes = [name.removesuffix(mark) for name in ends]
        if len(prefixes) > 1:
            raise ValueError(
                f"several networks in one file ({', '.join(prefixes)}); save the one that you "
                f"want in a file of its own"
            )
        if prefixes and (prefix := prefixes[0]):
            if (owner := prefix.rstrip(".").rpartition(".")[2]) in OTHER_FAMILIES:
                raise ValueError(f"weights of {owner}, which is not one of {_families()}")
            return prefix, {name.removeprefix(prefix): t for name, t in tensors.items()}
        if prefixes:
            return "", tensors
    return "", None


def _unknown(path: Path, tensors: Tensors, config: dict[str, Any]) -> str:
    """Of weights of no known architecture, what they are."""
    run = next((p for p in path.resolve().parents if (p / "config.yaml").is_file()), None)
    if run is not None and (run / "checkpoints").is_dir():
        return f"init.from={path} is a part of a run; name the run: init.from={run}"
    kind = config.get("model_type") or config.get("architecture")
    origin = f"model_type={kind}, " if kind else ""
    names = ", ".join(list(tensors)[:3])
    return (
        f"init.from={path}: weights of no known architecture ({origin}{len(tensors)} tensors: "
        f"{names}, ...); expected a run directory, or weights of {_families()}"
    )


def _families() -> str:
    return ", ".join(dict.fromkeys(f.name for f in FAMILIES))


def _padding(tensors: Mapping[str, Tensor], tokenizer: Tokenizer | None) -> int:
    """How many rows of the embedding are no token of the weights' own tokenizer."""
    embedding = tensors.get("embedding.weight")
    if embedding is None or tokenizer is None:
        return 0
    added = len(embedding) - tokenizer.vocab_size
    return added if 0 < added <= max(MAX_PADDING, tokenizer.vocab_size // 8) else 0


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
    dataset = run.read_dataset()
    encoding = load_encoding(dataset["encoding"])
    options = {k: v for k, v in config.model.items() if k != "name"}
    facts = dataset["facts"]
    settings = {k: v for k, v in facts.items() if k == "block_size"} | options
    tensors = saved.tensors.get("ema") or saved.tensors["model"]
    name, tokenizer = config.model["name"], encoding.tokenizer
    return Source(run.path, name, settings, tensors, tokenizer, facts=facts)
