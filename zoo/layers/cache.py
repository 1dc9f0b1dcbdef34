"""Key/value cache of one attention layer, for decoding token by token.

Shapes: B batch, T tokens, G key/value heads, E head width.
"""

from torch import Tensor


class KVCache:
    """Keys and values of up to `capacity` tokens, in one tensor (B, 2 G, capacity, E).

    Attributes:
        capacity: Tokens that fit in.
        length: Tokens in the cache.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length = capacity, 0
        self._kv: Tensor | None = None  # allocated when the first tokens show its shape

    def append(self, kv: Tensor) -> tuple[Tensor, Tensor]:
        """Append the key heads and value heads of new tokens, (B, T, 2 G, E); return all so far.

        Raises:
            ValueError: More tokens than fit.
        """
        batch, tokens, heads, size = kv.shape
        stop = self.length + tokens
        if stop > self.capacity:
            raise ValueError(f"{stop} tokens, but the cache holds {self.capacity}")
        if self._kv is None:
            self._kv = kv.new_empty(batch, heads, self.capacity, size)
        self._kv.narrow(2, self.length, tokens).copy_(kv.transpose(1, 2))
        self.length = stop
        return self.read()

    def read(self) -> tuple[Tensor, Tensor]:
        """Keys and values of all tokens so far, (B, length, G, E) each."""
        assert self._kv is not None
        keys, values = self._kv.narrow(2, 0, self.length).chunk(2, 1)
        return keys.transpose(1, 2), values.transpose(1, 2)

    def select(self, rows: Tensor) -> None:
        """Keep these rows of the batch, int64 (B',), in this order (the surviving beams)."""
        if self._kv is not None:
            selected = self._kv.narrow(2, 0, self.length).index_select(0, rows)
            self._kv = selected.new_empty(len(rows), *self._kv.shape[1:])
            self._kv.narrow(2, 0, self.length).copy_(selected)
