"""Attention weights of a model for one input.

Shapes: H heads, T query positions, S key positions.
"""

import torch
from torch import Tensor, nn

from zoo.layers.recording import record_attention


def attention_maps(model: nn.Module, *inputs: Tensor) -> dict[str, Tensor]:
    """Run the model and return the attention weights of the first sequence of the batch.

    Args:
        model: In evaluation mode.
        *inputs: Arguments of the model.

    Returns:
        Layer name to weights (H, T, S) on the CPU, whose rows sum to one; empty for a model without
        attention.
    """
    with torch.no_grad(), record_attention(model) as maps:
        if maps:
            model(*inputs)
    return {name: calls[-1][0].float().cpu() for name, calls in maps.items() if calls}
