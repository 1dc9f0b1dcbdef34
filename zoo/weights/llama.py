"""Weights of Llama, Mistral, Qwen2 and Qwen3, which name their parts alike; SmolLM2 is a Llama.

Mixtral and the mixtures of Qwen3 differ by their experts alone (zoo/weights/mixture.py).
"""

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
    labels,
    misfits,
    need,
)
from zoo.weights.fields import Fields, check_sizes, words
from zoo.weights.mixture import (
    MIXTURES,
    feed_forward,
    mixture_fields,
    mixture_links,
    mixture_misfits,
)
from zoo.weights.rope import BASE, rope_fields, rope_settings

MARK = "model.layers.0.self_attn.q_proj.weight"
QWEN = ("qwen2", "qwen3", "qwen3_moe")  # have a window where use_sliding_window is true
WINDOWS = {"mistral": 4096, "mixtral": None} | dict.fromkeys(QWEN, 4096)  # where not stated
EPS = {"mixtral": 1e-5}  # likewise; else 1e-6
BASES = {"mixtral": 1e6}  # of rotary positions, likewise
CLASSES = {
    "llama": "Llama",
    "mistral": "Mistral",
    "qwen2": "Qwen2",
    "qwen3": "Qwen3",
    "mixtral": "Mixtral",
    "qwen3_moe": "Qwen3Moe",
}
BIASES = {  # of queries, keys and values; of the projection after attention; of SwiGLU
    (False, False, False): "none",
    (True, False, False): "qkv",
    (True, True, False): "attention",
    (False, False, True): "mlp",
    (True, True, True): "all",
}
FIELDS = Fields(
    family="llama",
    types=tuple(CLASSES),
    used=words(
        """
        vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads
        num_key_value_heads head_dim max_position_embeddings rms_norm_eps tie_word_embeddings
        attention_bias mlp_bias sliding_window use_sliding_window max_window_layers layer_types
        rope_theta rope_scaling rope_parameters num_local_experts num_experts_per_tok
        moe_intermediate_size norm_topk_prob
        """
    ),
    fixed={
        "hidden_act": ("silu", "swish"),
        "partial_rotary_factor": (1.0,),
        "decoder_sparse_step": (1,),
        "mlp_only_layers": ([],),
    },
    without_effect=words(
        """
        attention_dropout pretraining_tp is_llama_config rope_interleaved output_router_logits
        router_aux_loss_coef router_jitter_noise
        """
    ),
    aliases={"num_experts": "num_local_experts"},
)


def clean(tensors: Tensors) -> Tensors:
    """A trunk without `model.`; the buffers of old files."""
    cleaned = {}
    for name, tensor in tensors.items():
        if name.endswith(".rotary_emb.inv_freq"):
            continue
        if name.split(".")[0] in ("embed_tokens", "layers", "norm"):
            name = f"model.{name}"
        cleaned[name] = tensor
    return cleaned


def settings(tensors: Tensors, config: dict[str, Any]) -> Settings:
    """Sizes by the tensors; what these do not tell by the config.

    Raises:
        ValueError: No config; one that is not of these tensors, or of what our model has not.
    """
    number = config.get("num_attention_heads")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(
            f"llama: num_attention_heads={number}: these weights need their config.json beside "
            f"them, which states heads, rotary positions and context"
        )
    embedding = need(tensors, "model.embed_tokens.weight", "llama")
    layer = "model.layers.0"
    q, k = (need(tensors, f"{layer}.self_attn.{name}_proj.weight", "llama") for name in "qk")
    width, depth = embedding.shape[1], count(tensors, "model.layers.")
    if len(q) % number or len(k) % (len(q) // number):
        raise ValueError(
            f"llama: num_attention_heads={number} divides no queries of {len(q)} and keys of "
            f"{len(k)} numbers"
        )
    head_width, kind = len(q) // number, str(config.get("model_type"))
    inside, inner_sizes = feed_forward(tensors, config, layer)
    sizes = {"hidden_size": width, "num_hidden_layers": depth} | inner_sizes
    sizes |= {"num_key_value_heads": len(k) // head_width, "head_dim": head_width}
    bias = _biases(tensors, layer)
    sizes |= {"vocab_size": len(embedding)} | _stated_biases(bias, kind)
    check_sizes("llama", config, sizes)
    tied = config.get("tie_word_embeddings")
    tied = "lm_head.weight" not in tensors if tied is None else tied
    return {
        "width": width,
        "depth": depth,
        "heads": number,
        "kv_heads": len(k) // head_width,
        "head_width": head_width,
        **inside,
        "block_size": config.get("max_position_embeddings") or 2048,
        "window": _window(config, depth),
        "qk_norm": f"{layer}.self_attn.q_norm.weight" in tensors,
        "bias": bias,
        "tie": bool(tied) and is_tied({}, embedding, tensors.get("lm_head.weight")),
        "eps": config.get("rms_norm_eps") or EPS.get(kind, 1e-6),
        "init": "normal",
        **rope_settings(config, BASES.get(kind, BASE)),
    }


def _biases(tensors: Tensors, layer: str) -> str:
    parts = "self_attn.q_proj", "self_attn.o_proj", "mlp.gate_proj"
    qkv, out, inner = (f"{layer}.{part}.bias" in tensors for part in parts)
    if (qkv, out, inner) not in BIASES:
        raise ValueError("llama: the last projection of attention has a bias, and no other")
    return BIASES[qkv, out, inner]


def _stated_biases(bias: str, kind: str) -> dict[str, bool]:
    """How config.json says the same; nothing of the kinds that do not read it there."""
    if kind in ("qwen2", "mistral", "mixtral"):
        return {}
    attention, inner = bias in ("qkv", "attention", "all"), bias in ("mlp", "all")
    return {"attention_bias": attention, "mlp_bias": inner}


def _window(config: dict[str, Any], depth: int) -> int | None:
    """Tokens of the sliding window; None for all.

    Raises:
        ValueError: Some blocks have one, others have not.
    """
    kind = config.get("model_type")
    if kind not in WINDOWS or (kind in QWEN and not config.get("use_sliding_window")):
        return None
    window = config.get("sliding_window", WINDOWS[kind])
    kinds = config.get("layer_types")
    if not kinds:
        in_all = kind not in QWEN or kind in MIXTURES
        first = 0 if in_all else config.get("max_window_layers", 28)
        kinds = ["sliding_attention" if k >= first else "full_attention" for k in range(depth)]
    if window is None or set(kinds) == {"full_attention"}:
        return None
    if set(kinds) != {"sliding_attention"}:
        raise ValueError(
            f"llama: config.json gives {kinds.count('sliding_attention')} of {depth} blocks a "
            f"sliding window, expected all or none"
        )
    return window


def links(settings: Settings) -> Iterator[Link]:
    """Our names and the published ones."""
    head_width = settings.get("head_width") or settings["width"] // settings["heads"]
    q, is_mixture = settings["heads"] * head_width, settings.get("mixture") is not None
    kv = (settings.get("kv_heads") or settings["heads"]) * head_width
    yield Link("embedding.weight", ("model.embed_tokens.weight",))
    for k in range(settings["depth"]):
        block, published = f"blocks.{k}", f"model.layers.{k}"
        projections = tuple(f"{published}.self_attn.{letter}_proj" for letter in "qkv")
        gated = tuple(f"{published}.mlp.{name}_proj" for name in ("up", "gate"))
        if is_mixture:
            kind_of_it = kind_of(settings)
            yield from mixture_links(f"{block}.feed_forward", published, settings, kind_of_it)
        for kind in ("weight", "bias"):
            yield Link(
                f"{block}.attention.qkv.{kind}",
                tuple(f"{name}.{kind}" for name in projections),
                sizes=(q, kv, kv),
            )
            yield Link(f"{block}.attention.out.{kind}", (f"{published}.self_attn.o_proj.{kind}",))
            if is_mixture:
                continue
            yield Link(f"{block}.feed_forward.up.{kind}", tuple(f"{name}.{kind}" for name in gated))
            yield Link(f"{block}.feed_forward.down.{kind}", (f"{published}.mlp.down_proj.{kind}",))
        for ours, name in (
            ("attention_norm", "input_layernorm"),
            ("feed_forward_norm", "post_attention_layernorm"),
            ("attention.q_norm", "self_attn.q_norm"),
            ("attention.k_norm", "self_attn.k_norm"),
        ):
            yield Link(f"{block}.{ours}.weight", (f"{published}.{name}.weight",))
    yield Link("norm.weight", ("model.norm.weight",))
    head = "score" if settings.get("num_outputs") else "lm_head"
    yield Link("head.weight", (f"{head}.weight",))


def kind_of(settings: Settings) -> str:
    """The value of `model_type` that has these options, or nearly."""
    if settings.get("mixture") is not None:
        return "qwen3_moe" if settings.get("qk_norm") else "mixtral"
    if settings.get("qk_norm"):
        return "qwen3"
    if settings.get("bias") == "qkv":
        return "qwen2"
    uneven = settings["width"] % settings["heads"]  # refused by the class for Llama
    return "mistral" if settings.get("window") or uneven else "llama"


def cannot_express(settings: Settings) -> list[Misfit]:
    """Options that no architecture has together."""
    kind = kind_of(settings)
    allowed = {
        "llama": ["none", "attention", "mlp", "all"],
        "mistral": ["none"],
        "qwen2": ["qkv"],
        "qwen3": ["none", "attention"],
        "mixtral": ["none"],
        "qwen3_moe": ["none", "attention"],
    }
    found = misfits(settings, bias=allowed[kind])
    if kind not in MIXTURES:
        return found
    plain = dict(score="softmax", shared=0, scale=1.0, groups=1, balance=["none", "loss"])
    normalise = True if kind == "mixtral" else [True, False]
    return found + mixture_misfits(settings, normalise=normalise, **plain)


def config(settings: Settings) -> dict[str, Any]:
    """config.json of a `LlamaForCausalLM` or one of its kin, or of a classifier of texts."""
    classifies, kind, width = settings.get("num_outputs"), kind_of(settings), settings["width"]
    suffix = "ForSequenceClassification" if classifies else "ForCausalLM"
    bias, window = settings.get("bias", "none"), settings.get("window")
    by_kind: dict[str, dict[str, Any]] = {
        "llama": {
            "attention_bias": bias in ("attention", "all"),
            "mlp_bias": bias in ("mlp", "all"),
        },
        "mistral": {"sliding_window": window},
        "qwen2": {},
        "qwen3": {"attention_bias": bias == "attention"},
        "mixtral": {"sliding_window": window},
        "qwen3_moe": {"attention_bias": bias == "attention"},
    }
    own = by_kind[kind]
    if kind in MIXTURES:
        own |= mixture_fields(settings, MIXTURES[kind])
    if kind.startswith("qwen"):
        own |= {"use_sliding_window": window is not None, "sliding_window": window}
        own |= {"max_window_layers": 0 if window else settings["depth"]}
    return (labels(settings) if classifies else {}) | {
        "model_type": kind,
        "architectures": [CLASSES[kind] + suffix],
        "vocab_size": settings["vocab_size"],
        "hidden_size": width,
        # As zoo/layers/feed_forward.py.
        "intermediate_size": settings.get("inner") or -(-8 * width // 24) * 8,
        "num_hidden_layers": settings["depth"],
        "num_attention_heads": settings["heads"],
        "num_key_value_heads": settings.get("kv_heads") or settings["heads"],
        "head_dim": settings.get("head_width") or width // settings["heads"],
        "hidden_act": "silu",
        "max_position_embeddings": settings["block_size"],
        "rms_norm_eps": settings.get("eps", 1e-5),
        "attention_dropout": 0.0,
        "tie_word_embeddings": settings["tie"],
        **own,
        **rope_fields(settings),
    }


LLAMA = Family(
    "llama",
    "llama",
    clean,
    (MARK, "layers.0.self_attn.q_proj.weight"),
    FIELDS,
    settings,
    links,
    cannot_express,
    config,
)
