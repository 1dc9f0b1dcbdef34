"""Weights of DeepSeek-V3, and of others of its architecture."""

from collections.abc import Iterator
from typing import Any

from zoo.weights.family import Family, Link, Misfit, Settings, Tensors, count, is_tied, need
from zoo.weights.fields import Fields, check_sizes, words
from zoo.weights.mixture import mixture_links, mixture_misfits, mixture_of, mixture_settings
from zoo.weights.rope import rope_fields, rope_settings

MARK = "model.layers.0.self_attn.kv_a_proj_with_mqa.weight"
KIND = "qwen3_moe"  # whose names its experts have
FIELDS = Fields(
    family="deepseek",
    types=("deepseek_v3",),
    used=words(
        """
        vocab_size hidden_size intermediate_size moe_intermediate_size num_hidden_layers
        num_attention_heads n_shared_experts n_routed_experts routed_scaling_factor kv_lora_rank
        q_lora_rank head_dim qk_rope_head_dim v_head_dim qk_nope_head_dim n_group topk_group
        num_experts_per_tok first_k_dense_replace norm_topk_prob max_position_embeddings
        rms_norm_eps tie_word_embeddings rope_theta rope_scaling rope_parameters
        """
    ),
    fixed={
        "hidden_act": ("silu", "swish"),
        "attention_bias": (False,),
        "rope_interleave": (True,),
        "scoring_func": ("sigmoid",),
        "topk_method": ("noaux_tc",),
        "moe_layer_freq": (1,),
    },
    without_effect=words(
        """
        attention_dropout aux_loss_alpha ep_size num_key_value_heads
        num_nextn_predict_layers output_router_logits pretraining_tp qk_head_dim seq_aux
        """
    ),
    aliases={"num_local_experts": "n_routed_experts"},
)


def clean(tensors: Tensors) -> Tensors:
    """Without the blocks that predict further tokens."""
    further = tuple(
        name.removesuffix("eh_proj.weight") for name in tensors if name.endswith("eh_proj.weight")
    )
    return {n: t for n, t in tensors.items() if not further or not n.startswith(further)}


def settings(tensors: Tensors, config: dict[str, Any]) -> Settings:
    """Sizes by the tensors; what these do not tell by the config.

    Raises:
        ValueError: No config; one that is not of these tensors, or of what our model has not.
    """
    heads = config.get("num_attention_heads")
    if not isinstance(heads, int) or isinstance(heads, bool) or heads < 1:
        raise ValueError(
            f"deepseek: num_attention_heads={heads}: these weights need their config.json beside "
            f"them, which states heads, experts and context"
        )
    embedding = need(tensors, "model.embed_tokens.weight", "deepseek")
    depth = count(tensors, "model.layers.")
    dense = next((k for k in range(depth) if f"model.layers.{k}.mlp.gate.weight" in tensors), depth)
    attention = _attention(tensors, heads)
    mixture = _mixture(tensors, config, f"model.layers.{dense}") if dense < depth else None
    sizes: dict[str, Any] = {"hidden_size": embedding.shape[1], "num_hidden_layers": depth}
    sizes |= {"vocab_size": len(embedding), "first_k_dense_replace": dense}
    if mixture:
        sizes |= {"n_routed_experts": mixture["experts"], "n_shared_experts": mixture["shared"]}
    sizes |= {"kv_lora_rank": attention["latent"], "v_head_dim": attention["value_width"]}
    sizes |= dict.fromkeys(("qk_rope_head_dim", "head_dim"), attention["rotary_width"])
    sizes |= {"q_lora_rank": attention["q_latent"]}
    check_sizes("deepseek", config, sizes)
    rope = rope_settings(config)
    if rope.pop("rope_scaling"):
        raise ValueError("deepseek: config.json scales rotary positions, which is not supported")
    inner = config.get("intermediate_size")
    if dense:
        inner = len(need(tensors, "model.layers.0.mlp.gate_proj.weight", "deepseek"))
    tied = config.get("tie_word_embeddings")
    tied = "lm_head.weight" not in tensors if tied is None else tied
    return {
        "width": embedding.shape[1],
        "depth": depth,
        "heads": heads,
        **attention,
        "dense_blocks": dense,
        "inner": inner,
        "mixture": mixture,
        "block_size": config.get("max_position_embeddings") or 4096,
        "tie": bool(tied) and is_tied({}, embedding, tensors.get("lm_head.weight")),
        "eps": config.get("rms_norm_eps") or 1e-6,
        "init": "normal",
        **rope,
    }


def _attention(tensors: Tensors, heads: int) -> Settings:
    """The widths of latent attention."""
    layer = "model.layers.0.self_attn"
    norm, down, out = (
        need(tensors, f"{layer}.{name}.weight", "deepseek")
        for name in ("kv_a_layernorm", "kv_a_proj_with_mqa", "o_proj")
    )
    q_norm = tensors.get(f"{layer}.q_a_layernorm.weight")
    name = "q_proj" if q_norm is None else "q_b_proj"
    q = need(tensors, f"{layer}.{name}.weight", "deepseek")
    if len(q) % heads or out.shape[1] % heads:
        raise ValueError(
            f"deepseek: num_attention_heads={heads} divides no queries of {len(q)} and values of "
            f"{out.shape[1]} numbers"
        )
    rotary = len(down) - len(norm)
    return {
        "latent": len(norm),
        "q_latent": None if q_norm is None else len(q_norm),
        "head_width": len(q) // heads - rotary,
        "rotary_width": rotary,
        "value_width": out.shape[1] // heads,
    }


def _mixture(tensors: Tensors, config: dict[str, Any], layer: str) -> Settings:
    mixture = mixture_settings(tensors, config, layer, KIND)
    shared = tensors.get(f"{layer}.mlp.shared_experts.gate_proj.weight")
    normalise, scale = config.get("norm_topk_prob"), config.get("routed_scaling_factor")
    return mixture | {
        "shared": 0 if shared is None else len(shared) // mixture["inner"],
        "score": "sigmoid",
        "normalise": True if normalise is None else normalise,
        "scale": 2.5 if scale is None else scale,
        "groups": config.get("n_group") or 1,
        "active_groups": config.get("topk_group") or 1,
        "balance": "bias",
    }


def _dense(settings: Settings) -> int:
    """How many of the first blocks have no experts."""
    return settings["depth"] if settings.get("mixture") is None else settings["dense_blocks"]


def links(settings: Settings) -> Iterator[Link]:
    """Our names and the published ones."""
    yield Link("embedding.weight", ("model.embed_tokens.weight",))
    q_up = "q_b_proj" if settings.get("q_latent") else "q_proj"
    for k in range(settings["depth"]):
        block, published = f"blocks.{k}", f"model.layers.{k}"
        for ours, name in (
            ("attention_norm", "input_layernorm"),
            ("feed_forward_norm", "post_attention_layernorm"),
            ("attention.q_down", "self_attn.q_a_proj"),
            ("attention.q_norm", "self_attn.q_a_layernorm"),
            ("attention.q_up", f"self_attn.{q_up}"),
            ("attention.kv_down", "self_attn.kv_a_proj_with_mqa"),
            ("attention.kv_norm", "self_attn.kv_a_layernorm"),
            ("attention.kv_up", "self_attn.kv_b_proj"),
            ("attention.out", "self_attn.o_proj"),
        ):
            yield Link(f"{block}.{ours}.weight", (f"{published}.{name}.weight",))
        if k >= _dense(settings):
            yield from mixture_links(f"{block}.feed_forward", published, settings, KIND)
            continue
        gated = tuple(f"{published}.mlp.{name}_proj.weight" for name in ("up", "gate"))
        yield Link(f"{block}.feed_forward.up.weight", gated)
        yield Link(f"{block}.feed_forward.down.weight", (f"{published}.mlp.down_proj.weight",))
    yield Link("norm.weight", ("model.norm.weight",))
    yield Link("head.weight", ("lm_head.weight",))


def cannot_express(settings: Settings) -> list[Misfit]:
    """Options that the architecture has not."""
    if _dense(settings) >= settings["depth"]:
        return []
    shared = max(1, mixture_of(settings)["shared"])
    return mixture_misfits(settings, score="sigmoid", balance="bias", shared=shared)


def config(settings: Settings) -> dict[str, Any]:
    """config.json of a `DeepseekV3ForCausalLM`."""
    width, mixture = settings["width"], mixture_of(settings)
    return {
        "model_type": "deepseek_v3",
        "architectures": ["DeepseekV3ForCausalLM"],
        "vocab_size": settings["vocab_size"],
        "hidden_size": width,
        # As zoo/layers/feed_forward.py.
        "intermediate_size": settings.get("inner") or -(-8 * width // 24) * 8,
        "moe_intermediate_size": mixture["inner"],
        "num_hidden_layers": settings["depth"],
        "num_attention_heads": settings["heads"],
        "num_key_value_heads": settings["heads"],
        "n_shared_experts": mixture["shared"],
        "n_routed_experts": mixture["experts"],
        "routed_scaling_factor": mixture["scale"],
        "kv_lora_rank": settings["latent"],
        "q_lora_rank": settings.get("q_latent"),
        "qk_rope_head_dim": settings["rotary_width"],
        "qk_nope_head_dim": settings["head_width"],
        "v_head_dim": settings["value_width"],
        "n_group": mixture["groups"],
        "topk_group": mixture["active_groups"],
        "num_experts_per_tok": mixture["active"],
        "first_k_dense_replace": _dense(settings),
        "norm_topk_prob": mixture["normalise"],
        "hidden_act": "silu",
        "max_position_embeddings": settings["block_size"],
        "rms_norm_eps": settings.get("eps", 1e-6),
        "attention_bias": False,
        "attention_dropout": 0.0,
        "rope_interleave": True,
        "tie_word_embeddings": settings["tie"],
        **rope_fields(settings),
    }


DEEPSEEK = Family(
    "deepseek", "deepseek", clean, (MARK,), FIELDS, settings, links, cannot_express, config
)
