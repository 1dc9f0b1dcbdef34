"""Mamba's weights: as its authors published them on the Hub, and as `transformers` writes them."""

import math
from collections.abc import Iterator
from typing import Any

from zoo.weights.family import (
    Family,
    Link,
    Misfit,
    Settings,
    Tensors,
    count,
    is_tied,
    need,
)
from zoo.weights.fields import Fields, check_sizes, words

EPS = 1e-5
MARK = "backbone.layers.0.mixer.A_log"
FIELDS = Fields(
    family="mamba",
    types=("mamba",),
    used=words(
        """
        vocab_size hidden_size num_hidden_layers state_size expand conv_kernel time_step_rank
        intermediate_size tie_word_embeddings pad_vocab_size_multiple
        """
    ),
    fixed={
        "layer_norm_epsilon": (EPS,),
        "use_bias": (False,),
        "use_conv_bias": (True,),
        "hidden_act": ("silu",),
        "rms_norm": (True,),  # from here on, of the authors' own files
        "ssm_cfg": ({}, {"layer": "Mamba1"}),
        "attn_layer_idx": ([],),
        "d_intermediate": (0,),
    },
    without_effect=words(
        """
        residual_in_fp32 rescale_prenorm_residual use_mambapy use_associative_scan time_step_scale
        time_step_min time_step_max time_step_init_scheme time_step_floor fused_add_norm attn_cfg
        layer_types
        """
    ),
    aliases={"d_model": "hidden_size", "n_layer": "num_hidden_layers",
             "d_inner": "intermediate_size",
             "tie_embeddings": "tie_word_embeddings"},
)  # fmt: skip
LAYERS = {
    "up": "in_proj",
    "conv": "conv1d",
    "select": "x_proj",
    "step": "dt_proj",
    "out": "out_proj",
}
BIASED = ("conv", "step")


def clean(tensors: Tensors) -> Tensors:
    """The authors' files say `embedding`; A's logarithms (E, N) as our vector."""
    cleaned = {}
    for name, tensor in tensors.items():
        if name.split(".")[0] in ("embedding", "embeddings", "layers", "norm_f"):
            name = f"backbone.{name}"
        name = name.replace("backbone.embedding.", "backbone.embeddings.")
        cleaned[name] = tensor.mT.flatten() if name.endswith(".A_log") else tensor
    return cleaned


def unclean(tensors: Tensors, settings: Settings) -> Tensors:
    """Our vectors of A's logarithms (N E,) as the published (E, N)."""
    return {
        name: tensor.view(settings["state"], -1).mT if name.endswith(".log_rates") else tensor
        for name, tensor in tensors.items()
    }


def settings(tensors: Tensors, config: dict[str, Any]) -> Settings:
    """Sizes by the tensors.

    Raises:
        ValueError: Sizes that no model of ours has.
    """
    mixer = "backbone.layers.0.mixer"
    embedding = need(tensors, "backbone.embeddings.weight", "mamba")
    taps, select, step, rates = (
        need(tensors, f"{mixer}.{name}", "mamba")
        for name in ("conv1d.weight", "x_proj.weight", "dt_proj.weight", "A_log")
    )
    width, channels, depth = embedding.shape[1], len(taps), count(tensors, "backbone.layers.")
    state, rank = rates.numel() // channels, step.shape[1]
    if channels % width:
        raise ValueError(
            f"mamba: intermediate_size={channels}, expected a multiple of hidden_size={width}"
        )
    if len(select) != rank + 2 * state:
        raise ValueError(
            f"mamba: {len(select)} rows of x_proj, expected {rank + 2 * state}: "
            f"time_step_rank={rank} and twice state_size={state}"
        )
    sizes: dict[str, Any] = {"hidden_size": width, "num_hidden_layers": depth, "state_size": state}
    sizes |= {"conv_kernel": taps.shape[-1], "expand": channels // width}
    sizes |= {"intermediate_size": channels}
    if config.get("time_step_rank") != "auto":
        sizes["time_step_rank"] = rank
    if not config.get("pad_vocab_size_multiple"):  # the authors state the size before padding
        sizes["vocab_size"] = len(embedding)
    check_sizes("mamba", config, sizes)
    return {
        "width": width,
        "depth": depth,
        "expand": channels // width,
        "state": state,
        "kernel": taps.shape[-1],
        "rank": rank,
        "tie": is_tied(config, embedding, tensors.get("lm_head.weight")),
    }


def links(settings: Settings) -> Iterator[Link]:
    """Our names and the published ones."""
    yield Link("embedding.weight", ("backbone.embeddings.weight",))
    for k in range(settings["depth"]):
        block, published = f"blocks.{k}", f"backbone.layers.{k}"
        yield Link(f"{block}.norm.weight", (f"{published}.norm.weight",))
        for layer, name in LAYERS.items():
            for kind in ("weight", "bias") if layer in BIASED else ("weight",):
                yield Link(f"{block}.{layer}.{kind}", (f"{published}.mixer.{name}.{kind}",))
        yield Link(f"{block}.log_rates", (f"{published}.mixer.A_log",))
        yield Link(f"{block}.skip", (f"{published}.mixer.D",))
    yield Link("norm.weight", ("backbone.norm_f.weight",))
    yield Link("head.weight", ("lm_head.weight",))


def cannot_express(settings: Settings) -> list[Misfit]:
    """No option of ours; a classifier has a bias that there is no name for."""
    return []


def config(settings: Settings) -> dict[str, Any]:
    """config.json of a `MambaForCausalLM`."""
    width = settings["width"]
    return {
        "model_type": "mamba",
        "architectures": ["MambaForCausalLM"],
        "vocab_size": settings["vocab_size"],
        "hidden_size": width,
        "num_hidden_layers": settings["depth"],
        "state_size": settings["state"],
        "expand": settings["expand"],
        "intermediate_size": settings["expand"] * width,
        "conv_kernel": settings["kernel"],
        "time_step_rank": settings["rank"] or math.ceil(width / 16),
        "layer_norm_epsilon": EPS,
        "use_bias": False,
        "use_conv_bias": True,
        "hidden_act": "silu",
        "residual_in_fp32": True,
        "tie_word_embeddings": settings["tie"],
    }


MAMBA = Family(
    "mamba",
    "mamba",
    clean,
    (MARK, "layers.0.mixer.A_log"),
    FIELDS,
    settings,
    links,
    cannot_express,
    config,
    unclean,
)
