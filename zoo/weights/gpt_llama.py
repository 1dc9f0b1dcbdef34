"""A GPT of ours with rotary positions, RMSNorm and SwiGLU is a Llama, and leaves as one."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch.nn.functional as F

from zoo.weights.family import Link, Misfit, Settings, Tensors, misfits
from zoo.weights.llama import LLAMA, config, links

EPS = 1e-5  # of our norms


def as_llama(settings: Settings) -> Settings:
    """Options of model=llama, from those of model=gpt."""
    shared = ("vocab_size", "block_size", "width", "depth", "heads", "kv_heads", "tie")
    bias = "all" if settings["bias"] else "none"
    known = {name: settings[name] for name in shared if name in settings}
    return known | {"bias": bias, "eps": EPS}


def gpt_links(settings: Settings) -> Iterator[Link]:
    """Our names, which are those of model=llama, and the published ones."""
    return links(as_llama(settings))


def cannot_express(settings: Settings) -> list[Misfit]:
    """Options without a counterpart: a classifier's head has a bias, norms of queries and keys have
    another epsilon."""
    return misfits(
        settings,
        positions="rotary",
        norm="rms",
        activation="swiglu",
        qk_norm=False,
        num_outputs=None,
    )


def gpt_config(settings: Settings) -> dict[str, Any]:
    """config.json of a `LlamaForCausalLM`."""
    return config(as_llama(settings))


def fold_norm(tensors: Tensors, settings: Settings) -> Tensors:
    """With `init=zero`, embeddings are normalised when they are read: here once for all."""
    if settings["init"] != "zero" or "embedding.weight" not in tensors:
        return tensors
    embedding = tensors["embedding.weight"]
    return tensors | {"embedding.weight": F.rms_norm(embedding, embedding.shape[-1:])}


GPT_LLAMA = replace(
    LLAMA,
    model="gpt",
    links=gpt_links,
    misfits=cannot_express,
    config=gpt_config,
    fold=fold_norm,
)
