"""BERT's weights: old files' names and new ones."""

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

ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "relu": "relu"}
UNUSED = ("bert.pooler.", "cls.seq_relationship.")  # next-sentence prediction, which we leave out
EPS = 1e-12


def clean(tensors: Tensors) -> Tensors:
    """`gamma` and `beta` of old files, a trunk without `bert.`, the head's bias under two names."""
    cleaned = {}
    for name, tensor in tensors.items():
        name = name.replace("LayerNorm.gamma", "LayerNorm.weight")
        name = name.replace("LayerNorm.beta", "LayerNorm.bias")
        if name.split(".")[0] in ("embeddings", "encoder", "pooler"):
            name = f"bert.{name}"
        if name == "cls.predictions.decoder.bias":
            name = "cls.predictions.bias"
        if not name.startswith(UNUSED) and not name.endswith(".position_ids"):
            cleaned[name] = tensor
    return cleaned


def recognises(tensors: Tensors) -> bool:
    """By the first block's queries."""
    return "bert.encoder.layer.0.attention.self.query.weight" in tensors


def settings(tensors: Tensors, config: dict[str, Any]) -> Settings:
    """Sizes by the tensors; heads, which these do not tell, by the config, or 64 wide each."""
    embedding = tensors["bert.embeddings.word_embeddings.weight"]
    width = embedding.shape[1]
    if (kind := config.get("position_embedding_type", "absolute")) != "absolute":
        raise ValueError(f"bert: position_embedding_type={kind} is not supported")
    if abs(config.get("layer_norm_eps", EPS) - EPS) > 1e-13:
        raise ValueError(f"bert: layer_norm_eps={config['layer_norm_eps']}, expected {EPS}")
    head = tensors.get("cls.predictions.decoder.weight")
    hidden = config.get("hidden_act", "gelu")
    return {
        "width": width,
        "depth": count(tensors, "bert.encoder.layer."),
        "heads": config.get("num_attention_heads", max(1, width // 64)),
        "block_size": len(tensors["bert.embeddings.position_embeddings.weight"]),
        "positions": "learned",
        "norm": "layer",
        "activation": map_value("hidden_act", hidden, ACTIVATIONS, "bert"),
        "pre_norm": False,
        "qk_norm": False,
        "tie": head is None or head.equal(embedding),
        "init": "bert",
        "token_types": len(tensors["bert.embeddings.token_type_embeddings.weight"]),
        "pool": "first",
    }


def links(settings: Settings) -> Iterator[Link]:
    """Our names and the published ones."""
    yield Link("embedding.weight", ("bert.embeddings.word_embeddings.weight",))
    yield Link("position.weight", ("bert.embeddings.position_embeddings.weight",))
    yield Link("token_type.weight", ("bert.embeddings.token_type_embeddings.weight",))
    pairs: list[tuple[str, tuple[str, ...]]] = [
        ("embedding_norm", ("bert.embeddings.LayerNorm",)),
        ("transform", ("cls.predictions.transform.dense",)),
        ("transform_norm", ("cls.predictions.transform.LayerNorm",)),
    ]
    for k in range(settings["depth"]):
        block, published = f"blocks.{k}", f"bert.encoder.layer.{k}"
        qkv = tuple(f"{published}.attention.self.{name}" for name in ("query", "key", "value"))
        pairs += [
            (f"{block}.attention.qkv", qkv),
            (f"{block}.attention.out", (f"{published}.attention.output.dense",)),
            (f"{block}.attention_norm", (f"{published}.attention.output.LayerNorm",)),
            (f"{block}.feed_forward.up", (f"{published}.intermediate.dense",)),
            (f"{block}.feed_forward.down", (f"{published}.output.dense",)),
            (f"{block}.feed_forward_norm", (f"{published}.output.LayerNorm",)),
        ]
    for layer, names in pairs:
        for kind in ("weight", "bias"):
            yield Link(f"{layer}.{kind}", tuple(f"{name}.{kind}" for name in names))
    yield Link("head.weight", ("cls.predictions.decoder.weight",))
    yield Link("head.bias", ("cls.predictions.bias",))


def config(settings: Settings) -> dict[str, Any]:
    """config.json of a `BertForMaskedLM`."""
    require("bert", settings, positions="learned", norm="layer", qk_norm=False, pre_norm=False)
    require("bert", settings, init="bert")
    if not settings["token_types"]:
        raise ValueError("bert cannot express model.token_types=0")
    return {
        "model_type": "bert",
        "architectures": ["BertForMaskedLM"],
        "vocab_size": settings["vocab_size"],
        "max_position_embeddings": settings["block_size"],
        "hidden_size": settings["width"],
        "num_hidden_layers": settings["depth"],
        "num_attention_heads": settings["heads"],
        "intermediate_size": 4 * settings["width"],
        "hidden_act": published_value(settings["activation"], ACTIVATIONS, "bert"),
        "type_vocab_size": settings["token_types"],
        "layer_norm_eps": EPS,
        "hidden_dropout_prob": settings["dropout"],
        "attention_probs_dropout_prob": 0.0,
        "pad_token_id": settings.get("pad_id") or 0,
        "tie_word_embeddings": settings["tie"],
    }


BERT = Family("bert", "bert", clean, recognises, settings, links, config)
