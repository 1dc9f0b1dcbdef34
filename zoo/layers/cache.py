"""Key/value cache of one attention layer, for decoding token by token.

Shapes: B batch, T tokens, G key/value heads, E head width.
"""

from torch import Tensor

FIRST = 1024  # tokens that there is room for at first; the room then doubles


class KVCache:
    """Keys and values of up to `capacity` tokens, in one tensor (B, 2 G, room, E), which grows.

    Attributes:
        capacity: Tokens that fit in.
        window: A token attends to this many tokens at most, itself included: older ones are
            dropped; None for all.
        length: Tokens so far, dropped ones included.
    """

    def __init__(self, capacity: int, window: int | None = None) -> None:
        self.capacity, self.window, self.length = capacity, window, 0
        self._kv: Tensor | None = None  # allocated when the first tokens show its shape
        self._dropped = 0  # tokens

    def append(self, kv: Tensor) -> tuple[Tensor, Tensor]:
        """Append the key heads and value heads of new tokens, (B, T, 2 G, E); return all that these
        may attend to.

        Raises:
            ValueError: More tokens than fit.
        """
        tokens = kv.shape[1]
        stop = self.length + tokens
        if stop > self.capacity:
            raise ValueError(f"{stop} tokens, but the cache holds {self.capacity}")
        if self._kv is None or stop - self._dropped > self._kv.shape[2]:
            self._make_room(kv)
        assert self._kv is not None
        self._kv.narrow(2, self.length - self._dropped, tokens).copy_(kv.transpose(1, 2))
        self.length = stop
        return self.read(tokens)

    def _make_room(self, kv: Tensor) -> None:
        """Move to a larger tensor, or drop what no new token attends to."""
        batch, tokens, heads, size = kv.shape
        stored = self.length - self._dropped
        kept = stored if self.window is None else min(stored, self.window - 1)
        room = min(self.capacity, max(FIRST, 2 * (kept + tokens)))
        moved = kv.new_empty(batch, heads, room, size)
        if self._kv is not None:
            moved.narrow(2, 0, kept).copy_(self._kv.narrow(2, stored - kept, kept))
        self._kv, self._dropped = moved, self.length - kept

    def read(self, tokens: int = 1) -> tuple[Tensor, Tensor]:
        """Keys and values that the last `tokens` may attend to, (B, S, G, E) each."""
        assert self._kv is not None
        stop, start = self.length - self._dropped, 0
        if self.window is not None:
            start = max(0, stop - tokens - self.window + 1)
        keys, values = self._kv.narrow(2, start, stop - start).chunk(2, 1)
        return keys.transpose(1, 2), values.transpose(1, 2)

    def select(self, rows: Tensor) -> None:
        """Keep these rows of the batch, int64 (B',), in this order (the surviving beams)."""
        if self._kv is not None:
            stored = self.length - self._dropped
            selected = self._kv.narrow(2, 0, stored).index_select(0, rows)
            self._kv = selected.new_empty(len(rows), *self._kv.shape[1:])
            self._kv.narrow(2, 0, stored).copy_(selected)
