"""GPT-2's weights: as OpenAI published them on the Hub, and as `transformers` writes them."""

from collections.abc import Iterator
from typing import Any

from zoo.weights.classifiers import fold_bias
from zoo.weights.family import (
    ACTIVATIONS,
    Family,
    Link,
    Misfit,
    Settings,
    Tensors,
    count,
    heads,
    is_tied,
    labels,
    map_value,
    misfits,
    need,
    published_value,
)
from zoo.weights.fields import Fields, check_sizes, words

EPS = 1e-5
WIDTHS = (768, 1024, 1280, 1600)
MARK = "transformer.h.0.attn.c_attn.weight"
FIELDS = Fields(
    family="gpt2",
    types=("gpt2",),
    used=words(
        """
        vocab_size n_positions n_embd n_layer n_head n_inner activation_function
        tie_word_embeddings
        """
    ),
    fixed={
        "layer_norm_epsilon": (EPS,),
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "add_cross_attention": (False,),
    },
    without_effect=words(
        """
        resid_pdrop embd_pdrop attn_pdrop n_ctx is_decoder reorder_and_upcast_attn summary_type
        summary_use_proj summary_activation summary_proj_to_labels summary_first_dropout
        """
    ),
    aliases={
        "hidden_size": "n_embd",
        "max_position_embeddings": "n_positions",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    },
)


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


def settings(tensors: Tensors, config: dict[str, Any]) -> Settings:
    """Sizes by the tensors; what these do not tell by the config.

    Raises:
        ValueError: Sizes that no model of ours has.
    """
    embedding = need(tensors, "transformer.wte.weight", "gpt2")
    positions = need(tensors, "transformer.wpe.weight", "gpt2")
    width, depth = embedding.shape[1], count(tensors, "transformer.h.")
    up = need(tensors, "transformer.h.0.mlp.c_fc.weight", "gpt2")
    if need(tensors, MARK, "gpt2").shape[0] != width:
        raise ValueError(
            f"gpt2: {MARK} is {tuple(tensors[MARK].shape)}, outputs first, as nanoGPT stores it, "
            f"not inputs first: transpose the weights of c_attn, c_proj and c_fc"
        )
    if up.shape[1] != 4 * width:
        raise ValueError(f"gpt2: n_inner={up.shape[1]} with n_embd={width}, expected 4 times that")
    sizes = {"n_embd": width, "n_layer": depth, "n_positions": len(positions)}
    sizes |= {"vocab_size": len(embedding), "n_inner": up.shape[1]}
    check_sizes("gpt2", config, sizes)
    return {
        "width": width,
        "depth": depth,
        "heads": heads(config, "n_head", width, WIDTHS),
        "kv_heads": None,
        "block_size": len(positions),
        "positions": "learned",
        "norm": "layer",
        "activation": map_value("activation_function", config, "gelu_new", ACTIVATIONS, "gpt2"),
        "qk_norm": False,
        "bias": True,
        "tie": is_tied(config, embedding, tensors.get("lm_head.weight")),
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
    classifies = settings.get("num_outputs")
    yield Link("head.weight", ("score.weight" if classifies else "lm_head.weight",))


def cannot_express(settings: Settings) -> list[Misfit]:
    """Options without a counterpart. With `init=zero`, embeddings are normalised."""
    return misfits(
        settings,
        positions="learned",
        norm="layer",
        activation=["gelu_tanh", *ACTIVATIONS.values()],
        qk_norm=False,
        bias=True,
        init="gpt2",
        kv_heads=[None, settings.get("heads")],
    )


def config(settings: Settings) -> dict[str, Any]:
    """config.json of a `GPT2LMHeadModel`, or of a classifier of texts."""
    classifies = settings.get("num_outputs")
    kind = "GPT2ForSequenceClassification" if classifies else "GPT2LMHeadModel"
    return (labels(settings) if classifies else {}) | {
        "model_type": "gpt2",
        "architectures": [kind],
        "vocab_size": settings["vocab_size"],
        "n_positions": settings["block_size"],
        "n_embd": settings["width"],
        "n_layer": settings["depth"],
        "n_head": settings["heads"],
        "activation_function": published_value(settings["activation"], ACTIVATIONS),
        "layer_norm_epsilon": EPS,
        "resid_pdrop": settings["dropout"],
        "embd_pdrop": settings["dropout"],
        "attn_pdrop": 0.0,
        "tie_word_embeddings": settings["tie"],
    }


GPT2 = Family(
    "gpt2",
    "gpt",
    clean,
    (MARK, "h.0.attn.c_attn.weight"),
    FIELDS,
    settings,
    links,
    cannot_express,
    config,
    fold_bias,
)
