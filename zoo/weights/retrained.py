"""Modules that an adapter's run trained as a whole, for PEFT's `modules_to_save`."""

from typing import Any

from torch import nn

from zoo.adapters.lora import lora_layers
from zoo.weights.classifiers import unfold
from zoo.weights.family import Family, Tensors

BERT_BIAS, BERT_DECODER_BIAS = "cls.predictions.bias", "cls.predictions.decoder.bias"


def published_modules(
    family: Family | None, settings: dict[str, Any], name: str
) -> tuple[str, ...]:
    """The published modules that one of our model's consists of."""
    if family is not None:
        for link in family.links(settings):
            if link.name == f"{name}.weight":
                return tuple(target.removesuffix(".weight") for target in link.published)
    return (name,)


def published_rows(
    family: Family | None, settings: dict[str, Any], name: str, rows: int
) -> list[int]:
    """How many of the rows of our module's weight belong to each of those published modules."""
    for link in family.links(settings) if family is not None else ():
        if link.name == f"{name}.weight":
            number = len(link.published)
            return list(link.sizes) or [rows // number] * number
    return [rows]


def lies_in(name: str, modules: list[str]) -> bool:
    """Whether a module or parameter is one of some modules, or lies in one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def retrained_modules(
    model: nn.Module, family: Family | None, settings: dict[str, Any]
) -> tuple[Tensors, list[str]]:
    """The modules of parameters that are trained as a whole (a new head), and of those that share
    memory with them: all their tensors, and their names, by those of the family.

    PEFT does not adapt what it saves as a whole: there the low-rank update is added.
    """
    state = {n: t.detach() for n, t in model.state_dict().items() if ".lora_" not in n}
    trained = {p.data_ptr() for n, p in model.named_parameters() if p.requires_grad}
    chosen = {name for name, tensor in state.items() if tensor.data_ptr() in trained}
    if not chosen:
        return {}, []
    if family is not None:
        folded = family.fold(state, settings)
        chosen |= {name for name, tensor in folded.items() if tensor is not state.get(name)}
        chosen = set(family.rename({n: folded[n] for n in chosen & folded.keys()}, settings))
    modules = _outermost({name.rpartition(".")[0] for name in chosen})
    for name, layer in lora_layers(model).items():
        targets = published_modules(family, settings, name)
        if all(lies_in(target, modules) for target in targets):
            state[f"{name}.weight"] = layer.updated()
    tensors = state if family is None else family.to_published(state, settings)
    if BERT_BIAS in tensors:  # one parameter under two names
        tensors[BERT_DECODER_BIAS] = tensors[BERT_BIAS]
    return {n: t.clone() for n, t in tensors.items() if lies_in(n, modules)}, modules


def _outermost(modules: set[str]) -> list[str]:
    """Those that lie in no other."""
    return sorted(m for m in modules if not any(m.startswith(f"{other}.") for other in modules))


def read_retrained(stored: Tensors, family: Family | None, settings: dict[str, Any]) -> Tensors:
    """The weights of such modules in a folder of PEFT's, by our names.

    Raises:
        ValueError: One that the model has not, or not apart from another.
    """
    if family is None or not stored:
        return stored
    tensors = dict(family.from_published(stored, settings))
    known = {link.name for link in family.links(settings)}
    if unknown := sorted(tensors.keys() - known):
        raise ValueError(f"the model has no '{unknown[0]}', which the adapter changes")
    embedding, head = tensors.get("embedding.weight"), tensors.get("head.weight")
    if settings.get("tie") and (embedding is not None or head is not None):
        if embedding is None or head is None or not embedding.equal(head):
            raise ValueError(
                "modules_to_save trains the embedding or the head, which are one matrix in the "
                "model, and become two"
            )
        del tensors["head.weight"]
    return unfold(tensors, settings)
