"""Mixtures of experts in published weights: each expert's layers have names of their own."""

from collections.abc import Iterator
from typing import Any

from zoo.weights.family import Link, Misfit, Settings, Tensors, count, misfits, need

Config = dict[str, Any]
DEFAULTS: Settings = {  # of zoo/layers/mixture.py
    "experts": 8, "active": 2, "inner": None, "shared": 0, "score": "softmax", "normalise": True,
    "scale": 1.0, "groups": 1, "active_groups": 1, "balance": "bias", "balance_rate": None,
}  # fmt: skip
NAMES = {  # of the mixture; of an expert's layers: value, gate, the last one
    "mixtral": ("block_sparse_moe", ("w3", "w1", "w2")),
    "qwen3_moe": ("mlp", ("up_proj", "gate_proj", "down_proj")),
}


MIXTURES = {  # kin of Llama that have experts: the field of their width
    "mixtral": "intermediate_size",
    "qwen3_moe": "moe_intermediate_size",
}


def mixture_of(settings: Settings) -> Settings:
    """All options of a model's mixture; the inner width as zoo/layers/mixture.py has it."""
    mixture = DEFAULTS | (settings.get("mixture") or {})
    if mixture["inner"] is None:
        shares = mixture["active"] + mixture["shared"]
        mixture["inner"] = -(-8 * settings["width"] // (24 * shares)) * 8
    return mixture


def mixture_settings(tensors: Tensors, config: Config, layer: str, kind: str) -> Settings:
    """Options of a mixture whose weights are chosen by a softmax and not balanced; sizes by the
    tensors of a block.

    Args:
        tensors: All of the weights.
        config: Theirs.
        layer: Such as `model.layers.0`.
        kind: One of NAMES.
    """
    part, (_, gate, _) = NAMES[kind]
    router = need(tensors, f"{layer}.{part}.gate.weight", kind)
    first = need(tensors, f"{layer}.{part}.experts.0.{gate}.weight", kind)
    active = config.get("num_experts_per_tok")
    if not isinstance(active, int) or not 1 <= active <= len(router):
        raise ValueError(
            f"{kind}: config.json has num_experts_per_tok={active}, expected 1 to {len(router)}"
        )
    if (found := count(tensors, f"{layer}.{part}.experts.")) != len(router):
        raise ValueError(f"{kind}: {found} experts, and the router has {len(router)}")
    sizes = {"experts": len(router), "active": active, "inner": len(first)}
    return DEFAULTS | sizes | {"balance": "none"}


def feed_forward(tensors: Tensors, config: Config, layer: str) -> tuple[Settings, dict[str, int]]:
    """Feed-forward layers or experts of Llama's kin: our options, and their sizes under the names
    of config.json."""
    kind = str(config.get("model_type"))
    if kind not in MIXTURES:
        inner = len(need(tensors, f"{layer}.mlp.gate_proj.weight", "llama"))
        return {"inner": inner, "mixture": None}, {"intermediate_size": inner}
    mixture = mixture_settings(tensors, config, layer, kind)
    if kind == "qwen3_moe":
        mixture["normalise"] = bool(config.get("norm_topk_prob"))
    sizes = {"num_local_experts": mixture["experts"], MIXTURES[kind]: mixture["inner"]}
    return {"inner": None, "mixture": mixture}, sizes


def mixture_fields(settings: Settings, width: str) -> Config:
    """Fields of a config.json.

    Args:
        settings: Options of our model.
        width: The name of the field of an expert's width.
    """
    mixture = mixture_of(settings)
    fields = {width: mixture["inner"], "num_experts_per_tok": mixture["active"]}
    if width == "intermediate_size":
        return fields | {"num_local_experts": mixture["experts"]}
    return fields | {"num_experts": mixture["experts"], "norm_topk_prob": mixture["normalise"]}


def mixture_links(ours: str, published: str, settings: Settings, kind: str) -> Iterator[Link]:
    """The links of one mixture.

    Args:
        ours: Such as `blocks.0.feed_forward`.
        published: The block, such as `model.layers.0`.
        settings: Options of our model.
        kind: One of NAMES.
    """
    part, (value, gate, last) = NAMES[kind]
    mixture = mixture_of(settings)
    experts = [f"{published}.{part}.experts.{e}" for e in range(mixture["experts"])]
    gated = tuple(f"{e}.{name}.weight" for e in experts for name in (value, gate))
    yield Link(f"{ours}.router.weight", (f"{published}.{part}.gate.weight",))
    yield Link(f"{ours}.bias", (f"{published}.{part}.gate.e_score_correction_bias",))
    yield Link(f"{ours}.up.weight", gated)
    yield Link(f"{ours}.down.weight", tuple(f"{e}.{last}.weight" for e in experts))
    shared = f"{published}.{part}.shared_experts"
    both = tuple(f"{shared}.{name}.weight" for name in (value, gate))
    yield Link(f"{ours}.shared.up.weight", both)
    yield Link(f"{ours}.shared.down.weight", (f"{shared}.{last}.weight",))


def mixture_misfits(settings: Settings, **allowed: Any) -> list[Misfit]:
    """Options of the mixture that differ from what a family can express, as `misfits`."""
    mixture = {f"mixture.{name}": value for name, value in mixture_of(settings).items()}
    return misfits(mixture, **{f"mixture.{name}": values for name, values in allowed.items()})
