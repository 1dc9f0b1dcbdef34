"""Linear probe: only the output layer is trained, on frozen features.

Alain and Bengio, 2017, https://arxiv.org/abs/1610.01644.
"""

from torch import nn

from zoo.adapters.freeze import freeze
from zoo.errors import UserError
from zoo.naming import HEADS, in_head
from zoo.registry import ADAPTERS


@ADAPTERS.register("head")
def head(model: nn.Module) -> nn.Module:
    """Freeze all parameters except those of the output layer.

    Raises:
        UserError: The model has no output layer with parameters of its own.
    """
    trainable = [name for name, _ in model.named_parameters() if in_head(name)]
    if not trainable:
        raise UserError(
            f"adapter=head finds no output layer ({' or '.join(HEADS)}) of its own in the model: "
            f"it may be tied to the embedding (model.tie=false)"
        )
    return freeze(model, trainable)
