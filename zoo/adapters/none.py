"""No adapter: all parameters are trained."""

from torch import nn

from zoo.registry import ADAPTERS


@ADAPTERS.register("none")
def none(model: nn.Module) -> nn.Module:
    """Return the model unchanged."""
    return model
