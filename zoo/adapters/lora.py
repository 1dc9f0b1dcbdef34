"""LoRA: low-rank adaptation, the update of a weight matrix as a product of two low-rank matrices.

Hu et al., 2021, https://arxiv.org/abs/2106.09685: W x + (alpha / R) B A x, with W frozen and B
initialised with zeros, so that the output is unchanged at first; zoo/adapters/low_rank.py has the
layers. Optional: the scale of rank-stabilised LoRA, alpha / sqrt(R) (Kalajdzievski, 2023,
arXiv:2312.03732), and DoRA, which trains the length of each row apart from its direction (Liu et
al., 2024, arXiv:2402.09353).
Differs from the paper: embeddings and convolutions can be adapted too, and a fused projection to
queries, keys and values can be adapted as a whole or by its parts (`qkv:qv`).
"""

import fnmatch
import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from zoo.adapters.freeze import freeze, replace
from zoo.adapters.low_rank import (
    LoRAConv2d,
    LoRAEmbedding,
    LoRALinear,
    LoRAQuantised,
    LowRank,
)
from zoo.adapters.parts import fused_rows
from zoo.adapters.quantised import QuantisedLinear, quantised_layers
from zoo.bounds import AboveZero, Fraction, Positive
from zoo.errors import UserError
from zoo.layers.linear import Linear
from zoo.naming import in_head
from zoo.registry import ADAPTERS

# Pairs of a kind of layer and its adapted class.
KINDS: list[tuple[type[nn.Module], Any]] = [
    (Linear, LoRALinear),
    (nn.Linear, LoRALinear),
    (QuantisedLinear, LoRAQuantised),
    (nn.Conv2d, LoRAConv2d),
    (nn.Embedding, LoRAEmbedding),
]


@ADAPTERS.register("lora")
def lora(
    model: nn.Module,
    fresh: Iterable[str] = (),
    rank: Positive = 8,
    alpha: AboveZero = 16.0,
    dropout: Fraction = 0.0,
    targets: list[str] | None = None,
    rslora: bool = False,
    dora: bool = False,
) -> nn.Module:
    """Freeze a model and add low-rank matrices to some of its layers.

    Args:
        model: Changed in place.
        fresh: Parameters without pretrained values (a new head): they are trained.
        rank: R.
        alpha: The update is scaled by alpha / R.
        dropout: Dropout probability, on the input of A.
        targets: Layers, by the end of their names, in which `*` matches anything: `qkv`,
            `blocks.0.*`. Parts of a fused projection follow a colon: `qkv:qv` for queries and
            values, `up:ug` for SwiGLU's value and gate. Null: every linear layer and convolution
            except the output layer.
        rslora: Whether to scale by alpha / sqrt(R) instead.
        dora: Whether the length of each updated row of a weight is trained by itself.

    Raises:
        UserError: A value out of its range, or a target that matches nothing.
    """
    if rank < 1 or not 0 <= dropout < 1:
        raise UserError(
            f"adapter=lora: expected rank above 0 and dropout from 0 up to 1, got {rank}, {dropout}"
        )
    scale = alpha / (math.sqrt(rank) if rslora else rank)
    layers = adaptable_layers(model)
    chosen = choose_layers(layers, targets)
    freeze(model, fresh)
    for name, parts in chosen.items():
        options: dict[str, Any] = {"rows": fused_rows(model, name, parts)} if parts else {}
        adapted_class = next(cls for kind, cls in KINDS if isinstance(layers[name], kind))
        adapted = adapted_class(layers[name], rank, scale, dropout, dora, **options)
        adapted.plain.append(layers[name])
        replace(model, name, adapted)
    return model


def adaptable_layers(model: nn.Module) -> dict[str, nn.Module]:
    """The layers that can be adapted, by name."""
    kinds = [kind for kind, _ in KINDS]
    return {
        name: module
        for name, module in model.named_modules()
        if type(module) in kinds and not (isinstance(module, nn.Conv2d) and module.groups > 1)
    }


def choose_layers(layers: dict[str, nn.Module], targets: list[str] | None) -> dict[str, str]:
    """Find the layers that the targets match, and the parts of each to adapt ("" for all).

    Raises:
        UserError: A target that matches nothing; lists what could match.
    """
    if targets is None:
        names = [name for name in layers if not in_head(name)]
        if not names:
            raise UserError("adapter=lora: there is no layer but the head; use adapter=none")
        names = [name for name in names if not isinstance(layers[name], nn.Embedding)]
        if names:
            return dict.fromkeys(names, "")
        raise UserError(f"adapter=lora: {_list_names(layers)}; set adapter.targets")
    chosen: dict[str, str] = {}
    for target in targets:
        pattern, _, parts = target.partition(":")
        names = [name for name in layers if fnmatch.fnmatchcase(f".{name}", f"*.{pattern}")]
        if not names:
            raise UserError(f"adapter.targets: '{target}' matches no layer; {_list_names(layers)}")
        for name in names:
            is_whole = not parts or chosen.get(name) == ""
            chosen[name] = "" if is_whole else parts + chosen.get(name, "")  # [qkv:q, qkv:v]
    return chosen


def _list_names(layers: Iterable[str]) -> str:
    """The names that targets may match, without block numbers."""
    names = [".".join(p for p in name.split(".") if not p.isdecimal()) for name in layers]
    return f"those that could be adapted: {', '.join(dict.fromkeys(names)) or 'none'}"


def lora_layers(model: nn.Module) -> dict[str, LowRank]:
    """The adapted layers, by name."""
    return {name: m for name, m in model.named_modules() if isinstance(m, LowRank)}


def detach(model: nn.Module) -> None:
    """Remove the adapter: the original layers are back in place."""
    for name, layer in lora_layers(model).items():
        replace(model, name, layer.plain[0])


def fold(model: nn.Module, unpack: bool = False) -> float:
    """Merge for good: the adapted layers become plain layers again, with updated weights.

    Args:
        model: Changed in place.
        unpack: Whether layers in few bits get their weights back in full, and those in 16 bits are
            merged; else these, and the updates on them, stay as they are.

    Returns:
        The relative error of all updates by rounding to 16 bits; 0 without such layers.
    """
    error = size = 0.0
    for name, layer in lora_layers(model).items():
        plain, kind = layer.plain[0], layer.format()[0]
        is_short = isinstance(plain, QuantisedLinear) or kind == torch.bfloat16
        if is_short and not unpack:
            continue
        exact = layer.updated_exactly()
        merged = exact.to(kind)
        if kind == torch.bfloat16:
            error += float((merged.to(exact.dtype) - exact).square().sum())
            size += float((exact - layer.weight.to(exact.dtype)).square().sum())
        if isinstance(plain, QuantisedLinear):
            plain = plain.whole(merged)
        else:
            plain.weight = nn.Parameter(merged, requires_grad=False)
        replace(model, name, plain)
    for name, rest in quantised_layers(model).items() if unpack else ():
        replace(model, name, rest.whole(rest.weight))
    return math.sqrt(error / size) if size else 0.0
