"""Our classifiers of texts as those of `transformers`, which have other heads: equal logits.

GPT-2's has no bias, and BERT's has a layer with tanh (the pooler) in front.
Shapes: K classes, D width.
"""

import torch

from zoo.weights.family import Settings, Tensors

SMALL = 2.0**-12  # tanh(x) is x to 1e-7 for values below it


def fold_bias(tensors: Tensors, settings: Settings) -> Tensors:
    """GPT-2's head has no bias: that of the last norm gives the logits the same one.

    Raises:
        ValueError: More classes than the model is wide, so that it cannot.
    """
    if not settings.get("num_outputs") or "head.bias" not in tensors:
        return tensors
    weight, bias = tensors["head.weight"].double(), tensors["head.bias"].double()  # (K, D), (K,)
    shift = torch.linalg.lstsq(weight, bias[:, None], driver="gelsd").solution[:, 0]  # (D,)
    if not torch.allclose(weight @ shift, bias, rtol=1e-4, atol=1e-6):
        raise ValueError(f"gpt2: a head of {len(bias)} classes with a bias has no counterpart")
    folded = {name: tensor for name, tensor in tensors.items() if name != "head.bias"}
    return folded | {"norm.bias": (tensors["norm.bias"].double() + shift).float()}


def add_pooler(tensors: Tensors, settings: Settings) -> Tensors:
    """A pooler that passes on what it reads, in the part of tanh that is straight."""
    if not settings.get("num_outputs") or "head.weight" not in tensors:
        return tensors
    head = tensors["head.weight"]  # (K, D)
    width = head.shape[1]
    return tensors | {
        "pooler.weight": torch.eye(width) * SMALL,
        "pooler.bias": torch.zeros(width),
        "head.weight": head / SMALL,
    }


def unfold(tensors: Tensors, settings: Settings) -> Tensors:
    """The inverse for a retrained head that was read.

    Raises:
        ValueError: A pooler that changes what it reads, which our models have not.
    """
    pooler = tensors.get("pooler.weight")
    if pooler is not None:
        if not torch.equal(pooler, torch.eye(len(pooler)) * SMALL):
            raise ValueError("bert: a pooler of its own, which model=bert has not")
        rest = {name: t for name, t in tensors.items() if not name.startswith("pooler.")}
        return rest | {"head.weight": tensors["head.weight"] * SMALL}
    if settings.get("num_outputs") and "head.weight" in tensors and "head.bias" not in tensors:
        weight = tensors["head.weight"]
        return tensors | {"head.bias": weight.new_zeros(len(weight))}
    return tensors
