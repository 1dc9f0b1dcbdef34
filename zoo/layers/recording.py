"""Recording of what layers do, for plots: attention weights, the load of experts."""

import contextlib
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn


class RecordsAttention(nn.Module):
    """Base of attention layers, which append their weights to `record` where that is a list."""

    def __init__(self) -> None:
        super().__init__()
        self.record: list[Tensor] | None = None


class RecordsLoad(nn.Module):
    """Base of mixtures, which append how often each expert was chosen, int64 (E,), likewise.

    Attributes:
        counted: Which tokens count, bool (B, T); None for all.
        predictions: How many predictions of each sequence are learnt, int64 (B,); None for as many
            as tokens count.
    """

    def __init__(self) -> None:
        super().__init__()
        self.record: list[Tensor] | None = None
        self.counted: Tensor | None = None
        self.predictions: Tensor | None = None


def record_attention(
    model: nn.Module,
) -> contextlib.AbstractContextManager[dict[str, list[Tensor]]]:
    """Collect the attention weights of each layer: name to a list of (B, H, T, S), one per call."""
    return _record(model, RecordsAttention)


def record_load(model: nn.Module) -> contextlib.AbstractContextManager[dict[str, list[Tensor]]]:
    """Collect the load of each mixture of experts: name to a list of int64 (E,), one per call."""
    return _record(model, RecordsLoad)


@contextlib.contextmanager
def count_only(
    model: nn.Module, counted: Tensor | None, predictions: Tensor | None = None
) -> Iterator[None]:
    """For a while, leave tokens out of the load of experts, and of their auxiliary loss.

    Args:
        model: May have mixtures of experts.
        counted: Which tokens of its input count, bool (B, T); None for all.
        predictions: Of each sequence, as in `RecordsLoad`.
    """
    layers = (
        [m for m in model.modules() if isinstance(m, RecordsLoad)] if counted is not None else []
    )
    for layer in layers:
        layer.counted, layer.predictions = counted, predictions
    try:
        yield
    finally:
        for layer in layers:
            layer.counted = layer.predictions = None


@contextlib.contextmanager
def _record(model: nn.Module, kind: type) -> Iterator[dict[str, list[Tensor]]]:
    layers: dict[str, Any] = {name: m for name, m in model.named_modules() if isinstance(m, kind)}
    records: dict[str, list[Tensor]] = {name: [] for name in layers}
    for name, layer in layers.items():
        layer.record = records[name]
    try:
        yield records
    finally:
        for layer in layers.values():
            layer.record = None
