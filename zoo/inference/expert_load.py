"""How often a model's mixtures of experts choose each expert.

Shapes: L mixtures, E experts.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from zoo.layers.recording import record_load


@contextlib.contextmanager
def counted_experts(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Count choices while a model is called in evaluation.

    Yields:
        A dictionary that afterwards holds `expert_load`, int64 (L, E); nothing in training, and of
        a model without experts.
    """
    sums: dict[str, Tensor] = {}
    if model.training:
        yield sums
        return
    with record_load(model) as loads:
        yield sums
    if loads:
        sums["expert_load"] = torch.stack([torch.stack(calls).sum(0) for calls in loads.values()])


def shares(load: Tensor) -> Tensor:
    """Load of each expert over its fair share, (L, E): 1 where all are alike busy."""
    return load * load.shape[1] / load.sum(1, keepdim=True).clamp(min=1e-12)
