"""Some of the layers of trained weights, for a model of another depth.

Every other layer is where DistilBERT starts from (Sanh et al., 2019,
https://arxiv.org/abs/1910.01108, section 2); a layer may also be taken twice.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from zoo.errors import UserError
from zoo.weights.files import Tensors

IN_STACK = re.compile(r"([a-z_.]+\.)(\d+)\.(.+)")  # blocks.3.attention.out.weight


def number_of_layers(tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> int:
    """How many layers the weights have.

    Args:
        tensors: By our names.
        settings: Of their model.

    Raises:
        UserError: The model is no stack of layers of one kind.
    """
    stacks: dict[str, set[int]] = {}
    for name in tensors:
        if found := IN_STACK.match(name):
            stacks.setdefault(found[1], set()).add(int(found[2]))
    depth = settings.get("depth")
    if len(stacks) != 1 or next(iter(stacks.values())) != set(range(depth or 0)):
        raise UserError(
            "init.layers: the weights of init.from are no single stack of equal layers; leave it "
            "out"
        )
    return int(depth or 0)


def check_layers(
    layers: Sequence[int], tensors: Mapping[str, Tensor], settings: Mapping[str, Any]
) -> None:
    """Check that the weights have these layers.

    Raises:
        UserError: They have not.
    """
    last = number_of_layers(tensors, settings) - 1
    if wrong := [number for number in layers if not 0 <= number <= last]:
        raise UserError(
            f"init.layers: {wrong[0]} is none of the layers of init.from; expected 0 to {last}"
        )


def with_layers(tensors: Mapping[str, Tensor], layers: Sequence[int]) -> Tensors:
    """The tensors with these layers alone, numbered from 0 on in this order."""
    chosen = {}
    for name, tensor in tensors.items():
        found = IN_STACK.match(name)
        if found is None:
            chosen[name] = tensor
            continue
        for place, number in enumerate(layers):
            if number == int(found[2]):
                chosen[f"{found[1]}{place}.{found[3]}"] = tensor
    return chosen
