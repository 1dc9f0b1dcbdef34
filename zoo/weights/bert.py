"""BERT's weights: old files' names and new ones."""

from collections.abc import Iterator
from typing import Any

from zoo.weights.classifiers import add_pooler
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

UNUSED = ("bert.pooler.", "cls.seq_relationship.")  # next-sentence prediction, which few models do
PAIR = {"pair.pooler": "bert.pooler.dense", "pair.head": "cls.seq_relationship"}
EPS = 1e-12
WIDTHS = (128, 256, 512, 768, 1024)
MARK = "encoder.layer.0.attention.self.query.weight"
FIELDS = Fields(
    family="bert",
    types=("bert",),
    used=words(
        """
        vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act
        max_position_embeddings type_vocab_size tie_word_embeddings
        """
    ),
    fixed={
        "layer_norm_eps": (EPS,),
        "position_embedding_type": ("absolute",),
        "is_decoder": (False,),
        "add_cross_attention": (False,),
    },
    without_effect=words(
        """
        hidden_dropout_prob attention_probs_dropout_prob directionality pooler_fc_size
        pooler_num_attention_heads pooler_num_fc_layers pooler_size_per_head pooler_type
        """
    ),
)


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


def pair_head(tensors: Tensors) -> Tensors:
    """The head of next-sentence prediction, where the files have all of it."""
    links = [Link(f"{ours}.{k}", (f"{name}.{k}",)) for ours, name in PAIR.items()
             for k in ("weight", "bias")]  # fmt: skip
    if not all(link.published[0] in tensors for link in links):
        return {}
    return {link.name: tensors[link.published[0]] for link in links}


def settings(tensors: Tensors, config: dict[str, Any]) -> Settings:
    """Sizes by the tensors; what these do not tell by the config.

    Raises:
        ValueError: Sizes that no model of ours has; RoBERTa's numbering of positions.
    """
    word, position, token_type = (
        need(tensors, f"bert.embeddings.{name}_embeddings.weight", "bert")
        for name in ("word", "position", "token_type")
    )
    width, depth = word.shape[1], count(tensors, "bert.encoder.layer.")
    if not config.get("model_type") and len(position) % 8 == 2 and len(token_type) == 1:
        raise ValueError(
            f"bert: {len(position)} positions and one segment type are RoBERTa's; only a "
            f"config.json with its model_type shows that they are BERT's"
        )
    up = len(need(tensors, "bert.encoder.layer.0.intermediate.dense.weight", "bert"))
    if up != 4 * width:
        raise ValueError(
            f"bert: intermediate_size={up} with hidden_size={width}, expected 4 times that"
        )
    sizes = {"hidden_size": width, "num_hidden_layers": depth, "intermediate_size": up}
    sizes |= {"vocab_size": len(word), "max_position_embeddings": len(position)}
    check_sizes("bert", config, sizes | {"type_vocab_size": len(token_type)})
    activation = map_value("hidden_act", config, "gelu", ACTIVATIONS, "bert")
    return {
        "width": width,
        "depth": depth,
        "heads": heads(config, "num_attention_heads", width, WIDTHS),
        "block_size": len(position),
        "positions": "learned",
        "norm": "layer",
        "activation": activation,
        "head_activation": activation,
        "pre_norm": False,
        "qk_norm": False,
        "tie": is_tied(config, word, tensors.get("cls.predictions.decoder.weight")),
        "init": "bert",
        "token_types": len(token_type),
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
    if settings.get("num_outputs"):
        for kind in ("weight", "bias"):
            yield Link(f"pooler.{kind}", (f"bert.pooler.dense.{kind}",))
            yield Link(f"head.{kind}", (f"classifier.{kind}",))
    elif settings.get("num_tags"):
        for kind in ("weight", "bias"):
            yield Link(f"head.{kind}", (f"classifier.{kind}",))
    else:
        yield Link("head.weight", ("cls.predictions.decoder.weight",))
        yield Link("head.bias", ("cls.predictions.bias",))
        if settings.get("next_sentence"):
            for ours, name in PAIR.items():
                for kind in ("weight", "bias"):
                    yield Link(f"{ours}.{kind}", (f"{name}.{kind}",))


def cannot_express(settings: Settings) -> list[Misfit]:
    """Options without a counterpart."""
    types, classifies = settings.get("token_types"), settings.get("num_outputs")
    has_own_head = classifies or settings.get("num_tags")
    head = {} if has_own_head else {"head_activation": settings.get("activation")}
    return misfits(
        {"head_activation": "gelu", "pair_pool": "first"} | settings,  # older runs do not name them
        **head,
        positions="learned",
        norm="layer",
        activation=["gelu", *ACTIVATIONS.values()],
        pre_norm=False,
        qk_norm=False,
        init="bert",
        token_types=[2, types] if types else 2,
        pool="first" if classifies else ["mean", "first"],
        pair_pool="first",
    )


def config(settings: Settings) -> dict[str, Any]:
    """config.json of a `BertForMaskedLM` (with a head for pairs, too, a `BertForPreTraining`), of a
    classifier of texts, or of a tagger of words."""
    kind = "BertForPreTraining" if settings.get("next_sentence") else "BertForMaskedLM"
    has_classes = settings.get("num_outputs") or settings.get("num_tags")
    if settings.get("num_outputs"):
        kind = "BertForSequenceClassification"
    elif settings.get("num_tags"):
        kind = "BertForTokenClassification"
    return (labels(settings) if has_classes else {}) | {
        "model_type": "bert",
        "architectures": [kind],
        "vocab_size": settings["vocab_size"],
        "max_position_embeddings": settings["block_size"],
        "hidden_size": settings["width"],
        "num_hidden_layers": settings["depth"],
        "num_attention_heads": settings["heads"],
        "intermediate_size": 4 * settings["width"],
        "hidden_act": published_value(settings["activation"], ACTIVATIONS),
        "type_vocab_size": settings["token_types"],
        "layer_norm_eps": EPS,
        "hidden_dropout_prob": settings["dropout"],
        "attention_probs_dropout_prob": 0.0,
        "pad_token_id": settings.get("pad_id") or 0,
        "tie_word_embeddings": settings["tie"],
    }


BERT = Family(
    "bert",
    "bert",
    clean,
    (f"bert.{MARK}", MARK),
    FIELDS,
    settings,
    links,
    cannot_express,
    config,
    add_pooler,
    pair_head,
)
