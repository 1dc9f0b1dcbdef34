"""Protocols of models for generation and search; models satisfy them without importing them.

Shapes: B batch, S source tokens, T tokens, D width, V vocabulary.
"""

from collections.abc import Iterator
from typing import Any, Protocol

from torch import Tensor, nn

from zoo.layers.cache import KVCache
from zoo.layers.positions import Rotation


class LanguageModel(Protocol):
    """A model that predicts the next token. Its cache is what `new_cache` returns."""

    @property
    def context(self) -> int | None:
        """The maximum length of a sequence, in tokens; None for any length."""

    def new_cache(self, batch_size: int) -> Any:
        """An empty cache for `batch_size` sequences."""

    def __call__(self, tokens: Tensor, cache: Any = None, last_only: bool = False) -> Tensor:
        """Logits of the next token after int64 (B, T): (B, T, V), with `last_only` (B, 1, V)."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """As in nn.Module."""


class BlockLanguageModel(LanguageModel, Protocol):
    """A language model whose forward pass is `embed`, `blocks`, `norm`, `head`, as in GPT.

    Such a class sets `decodes_by_blocks = True`, which its subclasses do not inherit, since they
    may compute something else.
    """

    blocks: nn.ModuleList
    norm: nn.Module
    head: nn.Linear
    training: bool
    classifies: bool

    def embed(self, tokens: Tensor, start: int) -> tuple[Tensor, Rotation | None]:
        """Vectors of tokens at positions `start` and after, (B, T, D), and their rotations."""

    def new_cache(self, batch_size: int) -> list[KVCache]:
        """An empty key/value cache for each block."""


class EncoderDecoder(Protocol):
    """A model that predicts a target from a source. Memory and cache are its own types."""

    def encode(self, source: Tensor) -> Any:
        """The memory of sources, int64 (B, S), padded on the right."""

    def decode(self, tokens: Tensor, memory: Any, cache: Any = None) -> Tensor:
        """Logits of the token after each of int64 (B, T): (B, T, V).

        With a cache, which then grows, `tokens` continue those that are in it.
        """

    def new_cache(self, batch_size: int) -> Any:
        """An empty cache for `batch_size` targets."""

    def select(self, past: Any, rows: Tensor) -> Any:
        """Rows of the batch, int64 (B',), of a memory or a cache."""
