"""Key/value cache: keys and values of the tokens read so far, of one attention layer.

Shapes: B batch, T tokens, G key/value heads, E head width.
"""

from torch import Tensor


class KVCache:
    """Keys and values of up to `capacity` tokens, in one tensor (B, 2 G, capacity, E)."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length = capacity, 0
        self._both: Tensor | None = None

    def append(self, new: Tensor) -> tuple[Tensor, Tensor]:
        """Add keys and, behind them, values of new tokens (B, T, 2 G, E); all so far."""
        batch, tokens, heads, size = new.shape
        stop = self.length + tokens
        if stop > self.capacity:
            raise ValueError(f"{stop} tokens, but the cache holds {self.capacity}")
        if self._both is None:
            self._both = new.new_empty(batch, heads, self.capacity, size)
        self._both.narrow(2, self.length, tokens).copy_(new.transpose(1, 2))
        self.length = stop
        return self.read()

    def read(self) -> tuple[Tensor, Tensor]:
        """Keys and values of all tokens so far, (B, length, G, E) each."""
        assert self._both is not None
        keys, values = self._both.narrow(2, 0, self.length).chunk(2, 1)
        return keys.transpose(1, 2), values.transpose(1, 2)

    def select(self, index: Tensor) -> None:
        """Keep these rows of the batch, int64 (B',), in this order: beams that live on."""
        if self._both is not None:
            kept = self._both.narrow(2, 0, self.length).index_select(0, index)
            self._both = kept.new_empty(len(index), *self._both.shape[1:])
            self._both.narrow(2, 0, self.length).copy_(kept)
