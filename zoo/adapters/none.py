"""No adapter: everything is trained."""

from torch import nn

from zoo.registry import ADAPTERS


@ADAPTERS.register("none")
def none(model: nn.Module) -> nn.Module:
    """The model as it is."""
    return model
