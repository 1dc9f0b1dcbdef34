"""How often a model's mixtures of experts choose each expert.

Shapes: L mixtures, E experts.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from zoo.layers.recording import count_only, record_load


def no_padding(scored: Tensor | None) -> Tensor | None:
    """Which tokens are read for a prediction that is scored: none after the last of its row.

    Args:
        scored: Whether the token after each is scored, bool (B, T); None for all.
    """
    return None if scored is None else scored.flip(1).cumsum(1).flip(1) > 0


@contextlib.contextmanager
def counted_experts(model: nn.Module, scored: Tensor | None = None) -> Iterator[dict[str, Tensor]]:
    """Leave padding out of the load of experts while a model is called, in training too; in
    evaluation count their choices.

    Args:
        model: May have mixtures of experts.
        scored: As in `no_padding`.

    Yields:
        A dictionary that afterwards holds `expert_load`, int64 (L, E); nothing in training, and of
        a model without experts.
    """
    sums: dict[str, Tensor] = {}
    predictions = None if scored is None else scored.sum(1)
    with count_only(model, no_padding(scored), predictions):
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
