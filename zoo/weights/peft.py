"""Adapters in the format of PEFT (https://github.com/huggingface/peft), both ways.

Where a published family knows the model, the names are that family's, so that the adapter fits
`transformers`' model; else they are our own. All layers have one rank there: those of lower rank
are padded with zeros, which change nothing.
"""

import json
import math
import re
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.adapters.lora import lora_layers
from zoo.adapters.low_rank import LoRAConv2d, LoRALinear, LowRank
from zoo.errors import UserError
from zoo.weights.family import Family
from zoo.weights.files import Tensors, read_json, read_tensors
from zoo.weights.peft_config import LORA, check_targets
from zoo.weights.retrained import (
    lies_in,
    published_modules,
    published_rows,
    read_retrained,
    retrained_modules,
)

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
Pairs = dict[str, dict[str, Tensor]]  # module: its matrices A and B, and "m" of DoRA
PREFIX = "base_model.model."
ENDINGS = {  # of A and B: of embeddings, of all else
    True: ("lora_embedding_A", "lora_embedding_B"),
    False: ("lora_A.weight", "lora_B.weight"),
}
MAGNITUDE = "lora_magnitude_vector"
NAME = re.compile(rf"(.+)\.(lora_embedding_[AB]|lora_[AB]|{MAGNITUDE})(?:\.default)?(?:\.weight)?$")
TASKS = dict.fromkeys(("gpt", "llama", "deepseek", "mamba"), "CAUSAL_LM")
LETTERS = {  # published modules that are rows of one of ours, in their order there
    "query": "q", "key": "k", "value": "v",
    "q_proj": "q", "k_proj": "k", "v_proj": "v", "up_proj": "u", "gate_proj": "g",
}  # fmt: skip

ORDER = "qkvug"


@dataclass(frozen=True)
class Adapter:
    """Low-rank matrices by our names, and the options of `adapter=lora` that they fit.

    Attributes:
        options, tensors: These.
        notes: How they were understood, a line each.
        quantize: `init.quantize` of the run that trained them.
        answers: Names of the classes, labels or tags that this run tells apart, if it does.
    """

    options: dict[str, Any]
    tensors: Tensors
    notes: tuple[str, ...] = ()
    quantize: str | None = None
    answers: list[str] | None = None

    def other_base(self, quantize: str | None) -> str | None:
        """A remark where the base is held in another format than in training."""
        if self.quantize in (None, quantize):
            return None
        return (
            f"it was trained on a base in {self.quantize}, and is put on one in "
            f"{quantize or 'full precision'}: it answers a little differently than there"
        )


def write_peft(
    model: nn.Module,
    adapter: dict[str, Any],
    family: Family | None,
    settings: dict[str, Any],
    base: str,
) -> tuple[Tensors, dict[str, Any]]:
    """The tensors and adapter_config.json of a model's adapter.

    Args:
        model: With `lora` on.
        adapter: Options of `adapter=lora`.
        family: Whose names to take, None for our own.
        settings: Options of the model.
        base: Name or path of the weights that the adapter belongs to.
    """
    retrained, whole = retrained_modules(model, family, settings)
    pieces = [
        (target, isinstance(layer, nn.Embedding), a, b, m)
        for name, layer in lora_layers(model).items()
        for target, a, b, m in _pieces(layer, *_targets(layer, family, settings, name))
        if not lies_in(target, whole)
    ]
    check_targets(family, [target for target, *_ in pieces])
    rank = max(len(a) for _, _, a, _, _ in pieces)
    times = rank / adapter["rank"]
    tensors: Tensors = {}
    for target, embeds, a, b, m in pieces:
        first, second = ENDINGS[embeds]
        tensors[f"{PREFIX}{target}.{first}"] = _padded(a, rank, 0)
        tensors[f"{PREFIX}{target}.{second}"] = _padded(b, rank, 1)
        if m is not None:
            tensors[f"{PREFIX}{target}.{MAGNITUDE}"] = m.contiguous()
    tensors |= {PREFIX + name: tensor for name, tensor in retrained.items()}
    config = {
        "peft_type": "LORA",
        "task_type": _task_type(family, settings),
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": adapter["alpha"] * (math.sqrt(times) if adapter["rslora"] else times),
        "lora_dropout": adapter["dropout"],
        "use_rslora": adapter["rslora"],
        "use_dora": bool(adapter.get("dora")),
        "target_modules": sorted(target for target, *_ in pieces),
        "modules_to_save": whole or None,
        "fan_in_fan_out": family is not None and family.name == "gpt2",
        "bias": "none",
        "inference_mode": True,
    }
    return tensors, config


def _task_type(family: Family | None, settings: dict[str, Any]) -> str | None:
    """PEFT's name of a task, which chooses the class that wraps the model."""
    if family is not None and settings.get("num_outputs"):
        return "SEQ_CLS"
    if family is not None and settings.get("num_tags"):
        return "TOKEN_CLS"
    return TASKS.get(family.model) if family else None


def _targets(
    layer: LowRank, family: Family | None, settings: dict[str, Any], name: str
) -> tuple[tuple[str, ...], list[int]]:
    """The published modules that a layer of our model consists of, and the rows of each."""
    rows = published_rows(family, settings, name, len(layer.weight))
    return published_modules(family, settings, name), rows


def _pieces(
    layer: LowRank, targets: tuple[str, ...], rows: list[int]
) -> list[tuple[str, Tensor, Tensor, Tensor | None]]:
    """(module, A, B, m) of each published module that a layer of our model changes."""
    a, b = layer.lora_a.detach(), layer.lora_b.detach()
    m = None if layer.lora_magnitude is None else layer.lora_magnitude.detach()
    if not isinstance(layer, LoRALinear):
        if m is not None and isinstance(layer, LoRAConv2d):
            m = m.view(1, -1, 1, 1)
        return [(targets[0], a, b, m)]
    if layer.rows == [(0, layer.out_features)]:
        magnitudes = m.split(rows) if m is not None else [None] * len(rows)
        wholes = zip(targets, b.split(rows), magnitudes, strict=True)
        return [(name, a, part, own) for name, part, own in wholes]
    heights = [stop - start for start, stop in layer.rows]
    magnitudes = m.split(heights) if m is not None else [None] * len(heights)
    parts = list(zip(layer.rows, a.split(layer.rank), b.split(heights), magnitudes, strict=True))
    if len(targets) > 1:  # queries, keys and values are modules of their own
        owner = dict(zip(accumulate(rows, initial=0), targets, strict=False))  # by its first row
        return [(owner[start], thin, part, own) for (start, _), thin, part, own in parts]
    if m is not None:  # rows that are not adapted keep their length
        m = torch.linalg.vector_norm(layer.weight.detach().to(m.dtype), dim=1).index_copy(
            0, layer.adapted_rows(), m
        )
    return [(targets[0], *layer.factors(), m)]


def _padded(tensor: Tensor, rank: int, dim: int) -> Tensor:
    """Pad with zeros up to a rank."""
    shape = list(tensor.shape)
    shape[dim] = rank - shape[dim]
    return torch.cat([tensor, tensor.new_zeros(shape)], dim=dim).contiguous()


def read_peft(folder: Path, family: Family | None, settings: dict[str, Any]) -> Adapter:
    """Read an adapter of PEFT's format for one of our models.

    Raises:
        UserError: Another kind of adapter than LoRA, modules that the model has not.
    """
    try:
        config, notes = LORA.check(read_json(folder / CONFIG))
        pairs, full_weights = _stored(folder, family, config)
        tensors, targets = _by_our_names(pairs, family, settings)
        retrained = read_retrained(full_weights, family, settings)
    except ValueError as error:
        raise UserError(f"{folder}: {error}") from None
    options = {
        "rank": config["r"],
        "alpha": float(config["lora_alpha"]),
        "dropout": float(config.get("lora_dropout") or 0.0),
        "rslora": bool(config.get("use_rslora")),
        "dora": bool(config.get("use_dora")),
        "targets": targets,
    }
    return Adapter(options, tensors | retrained, tuple(notes))


def _stored(folder: Path, family: Family | None, config: dict[str, Any]) -> tuple[Pairs, Tensors]:
    """A and B of each adapted module, and the weights of those that were trained whole.

    Raises:
        ValueError: A without B, another rank than the config's, no rank or alpha in that.
    """
    file = folder / WEIGHTS
    stored = read_tensors(file if file.is_file() else folder / "adapter_model.bin")
    pairs: Pairs = {}
    full_weights: Tensors = {}
    for name, tensor in stored.items():
        short = name.removeprefix(PREFIX).replace(".modules_to_save.default", "")
        if match := NAME.match(short):
            target = _clean(match[1], family)
            part = "m" if match[2] == MAGNITUDE else match[2][-1]
            pairs.setdefault(target, {})[part] = tensor
        elif not short.endswith(".base_layer.weight"):  # PEFT adds embeddings as they were
            full_weights[_clean(short, family)] = tensor
    for name in ("r", "lora_alpha"):
        if not isinstance(config.get(name), int | float):
            raise ValueError(f"{CONFIG} has {name}={config.get(name)}, expected a number")
    for target, pair in pairs.items():
        if not {"A", "B"} <= pair.keys():
            raise ValueError(f"'{target}' has only one of the matrices A and B")
        if ("m" in pair) != bool(config.get("use_dora")):
            has = "a" if "m" in pair else "no"
            raise ValueError(
                f"'{target}' has {has} {MAGNITUDE}, {CONFIG} has use_dora={config.get('use_dora')}"
            )
        if len(pair["A"]) != config["r"]:
            raise ValueError(
                f"'{target}' is of rank {len(pair['A'])}, {CONFIG} has r={config['r']}"
            )
    return pairs, full_weights


def _clean(name: str, family: Family | None) -> str:
    """A module's or parameter's name as the family writes it: with `transformer.`, `bert.`."""
    whole = name if name.endswith((".weight", ".bias")) else f"{name}.weight"
    cleaned = next(iter(family.clean({whole: torch.empty(0)})), whole) if family else whole
    return cleaned if whole == name else cleaned.removesuffix(".weight")


def _by_our_names(
    pairs: Pairs, family: Family | None, settings: dict[str, Any]
) -> tuple[Tensors, list[str]]:
    """Tensors by our names, and the `adapter.targets` that they need.

    Raises:
        ValueError: A module that the model has not.
    """
    tensors: Tensors = {}
    targets = []
    for name, parts in _grouped(pairs, family, settings).items():
        several = len(published_modules(family, settings, name)) > 1
        letters = {LETTERS.get(n.rpartition(".")[2], ""): pair for n, pair in parts.items()}
        chosen = list(parts.values())
        if several:
            chosen = [letters[letter] for letter in ORDER if letter in letters]
        tensors[f"{name}.lora_a"] = torch.cat([pair["A"] for pair in chosen])
        tensors[f"{name}.lora_b"] = torch.cat([pair["B"] for pair in chosen])
        if all("m" in pair for pair in chosen):
            tensors[f"{name}.lora_magnitude"] = torch.cat([pair["m"].flatten() for pair in chosen])
        used = "".join(letter for letter in ORDER if letter in letters)
        targets.append(f"{name}:{used}" if several else name)
    return tensors, targets


def _grouped(pairs: Pairs, family: Family | None, settings: dict[str, Any]) -> dict[str, Pairs]:
    """The pairs of each of our modules, which may be made of several published ones."""
    owner: dict[str, str] = {}
    for link in family.links(settings) if family is not None else ():
        for target in link.published:
            owner[target.removesuffix(".weight")] = link.name.removesuffix(".weight")
    grouped: dict[str, Pairs] = {}
    for target, pair in pairs.items():
        if family is not None and target not in owner:
            raise ValueError(f"the model has no '{target}', which the adapter changes")
        grouped.setdefault(owner.get(target, target), {})[target] = pair
    return grouped


def dump(folder: Path, tensors: Tensors, config: dict[str, Any]) -> None:
    """Write both files."""
    from safetensors.torch import save_file

    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
