"""GPT-2's weights: as OpenAI published them on the Hub, and as `transformers` writes them."""

from collections.abc import Iterator
from typing import Any

from zoo.weights.family import (
    Family,
    Link,
    Settings,
    Tensors,
    count,
    map_value,
    published_value,
    require,
)

ACTIVATIONS = {
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
}
EPS = 1e-5


def clean(tensors: Tensors) -> Tensors:
    """The Hub's own files lack `transformer.` and carry masks as buffers."""
    cleaned = {}
    for name, tensor in tensors.items():
        if name.endswith((".attn.bias", ".attn.masked_bias")):
            continue
        if name.split(".")[0] in ("wte", "wpe", "h", "ln_f"):
            name = f"transformer.{name}"
        cleaned[name] = tensor
    return cleaned


def recognises(tensors: Tensors) -> bool:
    """By the fused projection of the first block."""
    return "transformer.h.0.attn.c_attn.weight" in tensors


def settings(tensors: Tensors, config: dict[str, Any]) -> Settings:
    """Sizes by the tensors; heads, which these do not tell, by the config, or 64 wide each."""
    embedding = tensors["transformer.wte.weight"]
    width = embedding.shape[1]
    if config.get("scale_attn_by_inverse_layer_idx") or config.get("add_cross_attention"):
        raise ValueError("gpt2: variants with other attention than GPT-2's are not supported")
    if abs(config.get("layer_norm_epsilon", EPS) - EPS) > 1e-9:
        raise ValueError(f"gpt2: layer_norm_epsilon={config['layer_norm_epsilon']}, expected {EPS}")
    head = tensors.get("lm_head.weight")
    return {
        "width": width,
        "depth": count(tensors, "transformer.h."),
        "heads": config.get("n_head", width // 64),
        "kv_heads": None,
        "block_size": len(tensors["transformer.wpe.weight"]),
        "positions": "learned",
        "norm": "layer",
        "activation": map_value(
            "activation_function",
            config.get("activation_function", "gelu_new"),
            ACTIVATIONS,
            "gpt2",
        ),
        "qk_norm": False,
        "bias": True,
        "tie": head is None or head.equal(embedding),
        "init": "gpt2",
    }


def links(settings: Settings) -> Iterator[Link]:
    """Our names and the published ones."""
    yield Link("embedding.weight", ("transformer.wte.weight",))
    yield Link("position.weight", ("transformer.wpe.weight",))
    for k in range(settings["depth"]):
        block, published = f"blocks.{k}", f"transformer.h.{k}"
        for layer, name in (("attention_norm", "ln_1"), ("feed_forward_norm", "ln_2")):
            for kind in ("weight", "bias"):
                yield Link(f"{block}.{layer}.{kind}", (f"{published}.{name}.{kind}",))
        for layer, name in (
            ("attention.qkv", "attn.c_attn"),
            ("attention.out", "attn.c_proj"),
            ("feed_forward.up", "mlp.c_fc"),
            ("feed_forward.down", "mlp.c_proj"),
        ):
            yield Link(f"{block}.{layer}.weight", (f"{published}.{name}.weight",), transposed=True)
            yield Link(f"{block}.{layer}.bias", (f"{published}.{name}.bias",))
    for kind in ("weight", "bias"):
        yield Link(f"norm.{kind}", (f"transformer.ln_f.{kind}",))
    yield Link("head.weight", ("lm_head.weight",))


def config(settings: Settings) -> dict[str, Any]:
    """config.json of a `GPT2LMHeadModel`."""
    require("gpt2", settings, positions="learned", norm="layer", qk_norm=False, bias=True)
    if settings.get("kv_heads") not in (None, settings["heads"]) or settings["init"] == "zero":
        raise ValueError("gpt2 cannot express model.kv_heads other than heads, or model.init=zero")
    return {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": settings["vocab_size"],
        "n_positions": settings["block_size"],
        "n_embd": settings["width"],
        "n_layer": settings["depth"],
        "n_head": settings["heads"],
        "activation_function": published_value(settings["activation"], ACTIVATIONS, "gpt2"),
        "layer_norm_epsilon": EPS,
        "resid_pdrop": settings["dropout"],
        "embd_pdrop": settings["dropout"],
        "attn_pdrop": 0.0,
        "tie_word_embeddings": settings["tie"],
    }


GPT2 = Family("gpt2", "gpt", clean, recognises, settings, links, config)
