"""Multi-head attention: each token attends to those whose keys match its query.

Vaswani et al., 2017, https://arxiv.org/abs/1706.03762, section 3.2. Grouped key/value heads:
Ainslie et al., 2023, arXiv:2305.13245. Normalised queries and keys: Henry et al., 2020,
arXiv:2010.04245. What is computed of queries, keys and values is `zoo.kernels.attention`.
Shapes: B batch, T queries, S keys and values, D width, H heads, G key/value heads, E = D / H.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from zoo.kernels import attention, attention_weights, normalise
from zoo.layers.cache import KVCache
from zoo.layers.linear import Linear
from zoo.layers.norm import NormName
from zoo.layers.positions import Rotation, rotate


class Attention(nn.Module):
    """Multi-head attention of a sequence to itself, or (`cross`) to another.

    Args:
        width: D.
        heads: H; divides the width.
        kv_heads: G, key/value heads shared by H / G query heads each; None for as many as heads.
        causal: Whether a token attends only to itself and those before it.
        cross: Whether keys and values come from `memory`.
        bias: Whether the projections have one.
        qk_norm: How to normalise each head's queries and keys, if at all.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        kv_heads: int | None = None,
        causal: bool = False,
        cross: bool = False,
        bias: bool = True,
        qk_norm: NormName | None = None,
    ) -> None:
        super().__init__()
        kv_heads = kv_heads or heads
        if width % heads or heads % kv_heads:
            raise ValueError(
                f"heads={heads} must divide width={width}, kv_heads={kv_heads} must divide heads"
            )
        self.heads, self.kv_heads, self.size = heads, kv_heads, width // heads
        self.causal, self.cross, self.qk_norm = causal, cross, qk_norm
        inner = 2 * kv_heads * self.size
        if cross:
            self.q = Linear(width, width, bias=bias)
            self.kv = Linear(width, inner, bias=bias)
        else:
            self.qkv = Linear(width, width + inner, bias=bias)
        self.out = Linear(width, width, bias=bias)
        self.record: list[Tensor] | None = None

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        rotation: Rotation | None = None,
        cache: KVCache | None = None,
    ) -> Tensor:
        """Attention output for each token.

        Args:
            x: (B, T, D).
            memory: With `cross`, the sequence attended to (B, S, D).
            mask: True where a token may attend, broadcastable to (B, 1, T, S); None for everywhere.
            rotation: Of rotary positions, for the T tokens of x.
            cache: Keys and values of tokens before x; those of x are added. With `cross`, those of
                the memory, computed once.

        Returns:
            (B, T, D).
        """
        if self.cross:
            packed = self._from_memory(x, memory, cache)
        else:
            packed = self._from_self(x, rotation, cache)
        return self.out(self.attend(packed, mask).flatten(2))

    def _from_self(
        self, x: Tensor, rotation: Rotation | None, cache: KVCache | None
    ) -> list[Tensor]:
        """Heads of queries, keys and values of x, packed as `zoo.kernels.attention` takes them."""
        qkv = self._split(self.qkv(x))  # (B, T, H + 2 G, E)
        if self.qk_norm is None and rotation is None and cache is None:
            return [qkv]
        qk, v = qkv.split((self.heads + self.kv_heads, self.kv_heads), 2)
        if self.qk_norm is not None:
            qk = normalise(self.qk_norm, qk)
        if rotation is not None:
            qk = rotate(qk.transpose(1, 2), rotation).transpose(1, 2)
        if cache is None:
            return [qk, v]
        q, k = qk.split((self.heads, self.kv_heads), 2)
        return [q, *cache.append(torch.cat([k, v], 2))]

    def _from_memory(self, x: Tensor, memory: Tensor | None, cache: KVCache | None) -> list[Tensor]:
        """Queries of x, keys and values of the memory (or of the cache, once they are known)."""
        q = self._split(self.q(x))
        if cache is None:
            assert memory is not None
            k, v = self._split(self.kv(memory)).split(self.kv_heads, 2)
            return [q, k, v]
        if not cache.length:
            assert memory is not None
            cache.append(self._split(self.kv(memory)))
        return [q, *cache.read()]

    def _split(self, x: Tensor) -> Tensor:
        """(B, T, n E) to (B, T, n, E)."""
        return x.unflatten(2, (-1, self.size))

    def attend(self, packed: list[Tensor], mask: Tensor | None = None) -> Tensor:
        """Weighted values of all heads, (B, T, H, E)."""
        arguments = packed, self.heads, self.kv_heads, mask, self.causal
        if self.record is not None:
            self.record.append(attention_weights(*arguments))
        return attention(*arguments)


@contextlib.contextmanager
def record_attention(model: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """Collect the attention weights of every layer: name to a list of (B, H, T, S), one per call.

    A layer of any kind that fills its `record`, where that is a list, counts as one.
    """
    layers = {name: m for name, m in model.named_modules() if hasattr(m, "record")}
    maps: dict[str, list[Tensor]] = {name: [] for name in layers}
    for name, layer in layers.items():
        layer.record = maps[name]
    try:
        yield maps
    finally:
        for layer in layers.values():
            layer.record = None
