"""Recording of attention weights, for plots of what a model attends to."""

import contextlib
from collections.abc import Iterator

from torch import Tensor, nn


class RecordsAttention(nn.Module):
    """Base of attention layers, which append their weights to `record` where that is a list."""

    def __init__(self) -> None:
        super().__init__()
        self.record: list[Tensor] | None = None


@contextlib.contextmanager
def record_attention(model: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """Collect the attention weights of each layer: name to a list of (B, H, T, S), one per call."""
    layers = {name: m for name, m in model.named_modules() if isinstance(m, RecordsAttention)}
    maps: dict[str, list[Tensor]] = {name: [] for name in layers}
    for name, layer in layers.items():
        layer.record = maps[name]
    try:
        yield maps
    finally:
        for layer in layers.values():
            layer.record = None
