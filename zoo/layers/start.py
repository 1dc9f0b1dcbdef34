"""Initial weights of decoders."""

from typing import Literal

from torch import nn

from zoo.layers.mixture import GroupedLinear

StartName = Literal["normal", "zero"]
ENDS_OF_BRANCHES = (".out", ".down")


def initialise(model: nn.Module, start: StartName) -> None:
    """Draw the weights of linear layers and embeddings; biases are zero.

    Args:
        model: Its output layer is called `head`; the last layers of its residual branches are
            called `out` and `down`.
        start: `normal` (all of standard deviation 0.02), or `zero`: residual branches and logits
            are zero, embeddings have unit scale, other layers keep the scale of their inputs.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | GroupedLinear):
            std = 0.02
            if start == "zero":
                starts_at_zero = name == "head" or name.endswith(ENDS_OF_BRANCHES)
                std = 0.0 if starts_at_zero else module.in_features**-0.5
            nn.init.normal_(module.weight, std=std)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=1.0 if start == "zero" else 0.02)
