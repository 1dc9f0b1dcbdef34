"""Where a model looks: the weights of its attention, read while it computes.

Shapes: H heads, T tokens that look, S tokens that are looked at.
"""

import torch
from torch import Tensor, nn

from zoo.layers.recording import record_attention


def attention_maps(model: nn.Module, *inputs: Tensor) -> dict[str, Tensor]:
    """What each attention layer does with the first text of a batch.

    Args:
        model: In evaluation mode.
        *inputs: What it takes.

    Returns:
        Name of the layer to weights (H, T, S) on the CPU, whose rows sum to one; empty for a model
        without attention.
    """
    with torch.no_grad(), record_attention(model) as maps:
        if maps:
            model(*inputs)
    return {name: found[-1][0].float().cpu() for name, found in maps.items() if found}
