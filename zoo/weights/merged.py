"""LoRA adapters that become one, or a part of the weights.

Of several it is the weighted sum of their updates. The sum w1 B1 A1 + w2 B2 A2 + ... is itself a
low-rank update, whose A has the rows of all A, and whose B the columns of all B: exact, with a rank
that is the sum of theirs (`cat` in PEFT). Sums of A and of B apart, which keep the rank, give other
updates than the sum.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from zoo.adapters.lora import detach, fold, lora, lora_layers
from zoo.adapters.quantised import quantised_layers
from zoo.config.run import Options
from zoo.errors import UserError
from zoo.training.checkpoint import tied_names
from zoo.weights.adapters import apply_adapter, whole_tensors
from zoo.weights.peft import Adapter

Update = tuple[Tensor, Tensor]  # A and B of a layer, scaled
NOTABLE = 0.05  # a relative error of what an adapter has learnt


def merge_own(model: nn.Module, options: Options, whole: bool = False) -> tuple[Options, str]:
    """Merge a model's adapter, if it has one, into its weights.

    Args:
        model: Changed in place.
        options: Of the model.
        whole: Whether weights in 16 bits become such in 32 first.

    Returns:
        The options that it then has: a head that was one with the embedding is not where one of
        them was adapted. What the merge has cost, "" for nothing.
    """
    if whole:
        _in_32_bits(model)
    tied = tied_names(model)
    rounding = fold(model, unpack=True)
    if tied - tied_names(model):
        options = options | {"tie": False}
    if rounding < NOTABLE:
        return options, ""
    return options, (
        f"The adapter's update is small beside weights in 16 bits, and rounded to these: a "
        f"relative error of {rounding:.0%} of it. predict.py and format=peft keep all of it; so "
        f"does a merge in 32 bits, of a run without init.dtype."
    )


def _in_32_bits(model: nn.Module) -> None:
    for parameter in model.parameters():
        if parameter.dtype == torch.bfloat16:
            parameter.data = parameter.data.float()
    for layer in quantised_layers(model).values():
        layer.dtype = torch.float32  # in which its weight is unpacked


def merge_adapters(
    model: nn.Module, adapters: Mapping[str, Adapter], weights: Mapping[str, float]
) -> dict[str, object]:
    """Put the weighted sum of adapters on a model.

    Args:
        model: Their base, with an adapter or without.
        adapters: By the folders that they were read from.
        weights: Of each.

    Returns:
        The options of `adapter=lora` that the sum fits.

    Raises:
        UserError: One that is no sum of low-rank updates, or does not fit the model.
    """
    updates: dict[str, list[Update]] = {}
    for where, adapter in adapters.items():
        _check(where, adapter)
        apply_adapter(model, adapter, where)
        for name, layer in lora_layers(model).items():
            a, b = layer.factors()
            updates.setdefault(name, []).append((a, weights[where] * layer.scale * b))
    detach(model)
    rank = max(sum(len(a) for a, _ in several) for several in updates.values())
    options: dict[str, object] = {
        "rank": rank, "alpha": float(rank), "dropout": 0.0, "targets": list(updates),
        "rslora": False, "dora": False,
    }  # fmt: skip
    lora(model, **options)  # type: ignore[arg-type]  # their types are those of its signature
    for name, layer in lora_layers(model).items():
        a = torch.cat([a for a, _ in updates[name]])
        with torch.no_grad():
            layer.lora_a.zero_()[: len(a)] = a
            layer.lora_b.zero_()[:, : len(a)] = torch.cat([b for _, b in updates[name]], dim=1)
    return options


def _check(where: str, adapter: Adapter) -> None:
    """Refuse what is not a low-rank update alone."""
    if adapter.options.get("dora"):
        raise UserError(
            f"{where} is a DoRA, whose updates are of full rank and no sum of low-rank ones; "
            f"adapters of adapter.dora=false can be merged"
        )
    if whole := whole_tensors(adapter):
        raise UserError(
            f"{where} holds {whole[0]}, which was trained whole: there is no update of it to add; "
            f"merge adapters of a run without init.skip"
        )
