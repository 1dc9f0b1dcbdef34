"""Attention: each token gathers from others what its query asks for.

Vaswani et al., 2017, https://arxiv.org/abs/1706.03762, section 3.2. Grouped key/value heads:
Ainslie et al., 2023, arXiv:2305.13245. Normalised queries and keys: Henry et al., 2020,
arXiv:2010.04245.
Shapes: B batch, T tokens that ask, S tokens that are asked, D width, H heads, G key/value heads,
E = D / H width of a head.
"""

import contextlib
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.layers.causal_attention import causal_attention, causal_products, suits
from zoo.layers.linear import Linear
from zoo.layers.norm import NormName, normalise
from zoo.layers.positions import Rotation, rotate


class KeyValues:
    """Keys and values of the tokens seen so far, of one layer: (B, G, capacity, E) each."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length = capacity, 0
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def append(self, new: Tensor) -> tuple[Tensor, Tensor]:
        """Add the keys and, behind them, the values of new tokens (B, 2 G, T, E); all so far."""
        if self.keys is None or self.values is None:
            self._keep(new.new_empty(*new.shape[:2], self.capacity, new.shape[3]))
        start, stop = self.length, self.length + new.shape[2]
        if stop > self.capacity:
            raise ValueError(f"{stop} tokens, but the cache holds {self.capacity}")
        self.both.narrow(2, start, stop - start).copy_(new)
        self.length = stop
        return self.keys.narrow(2, 0, stop), self.values.narrow(2, 0, stop)  # type: ignore[union-attr]

    def select(self, index: Tensor) -> None:
        """Keep these of the batch, int64 (B',), in this order: beams that live on."""
        if self.length:
            both = self.both.new_empty(len(index), *self.both.shape[1:])
            filled = self.both.narrow(2, 0, self.length).index_select(0, index)
            both.narrow(2, 0, self.length).copy_(filled)
            self._keep(both)
        elif self.keys is not None and self.values is not None:  # of a memory
            self.keys = self.keys.index_select(0, index)
            self.values = self.values.index_select(0, index)

    def _keep(self, both: Tensor) -> None:
        groups = both.shape[1] // 2
        self.both = both  # keys and values are views of it
        self.keys, self.values = both.narrow(1, 0, groups), both.narrow(1, groups, groups)


class Attention(nn.Module):
    """Multi-head attention of a sequence to itself, or (`cross`) to another.

    Args:
        width: D.
        heads: H; divides the width.
        kv_heads: G, key/value heads shared by H / G query heads each; None for as many as heads.
        causal: Whether a token sees only itself and those before it.
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
        self.causal, self.qk_norm = causal, qk_norm
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
        cache: KeyValues | None = None,
    ) -> Tensor:
        """What each token gathers.

        Args:
            x: (B, T, D).
            memory: With `cross`, what is looked at (B, S, D).
            mask: True where a token may look, broadcastable to (B, 1, T, S); None for everywhere.
            rotation: Of rotary positions, for the T tokens of x.
            cache: Keys and values of tokens before x; those of x are added. With `cross`, those of
                the memory, computed once.

        Returns:
            (B, T, D).
        """
        if not hasattr(self, "qkv"):
            q = self._split(self.q(x), self.heads)
            if cache is not None and cache.keys is not None and cache.values is not None:
                k, v = cache.keys, cache.values
            else:
                assert memory is not None
                k, v = self._key_values(self.kv(memory))
                if cache is not None:
                    cache.keys, cache.values = k, v
        else:
            qkv = self.qkv(x)  # (B, T, (H + 2 G) E), split before turned: a copy less backward
            heads, groups, size = self.heads, self.kv_heads, self.size
            by_hand = mask is None and cache is None and self._by_hand(qkv)
            if self.qk_norm is None and rotation is None:
                if by_hand:
                    return self._close(causal_attention([self._split(qkv, 3 * heads)], heads))
                sizes = (heads * size, groups * size, groups * size)
                q, k, v = torch.split_with_sizes(qkv, sizes, 2)
                q, k, v = self._split(q, heads), self._split(k, groups), self._split(v, groups)
            else:  # queries and keys together, in half as many calls
                sizes = ((heads + groups) * size, groups * size)
                qk, v = torch.split_with_sizes(qkv, sizes, 2)
                qk, v = self._split(qk, heads + groups), self._split(v, groups)
                if self.qk_norm is not None:
                    qk = self._normalise(qk, self.qk_norm)
                if rotation is not None:
                    qk = rotate(qk, rotation)
                if by_hand:
                    return self._close(causal_attention([qk, v], heads))
                q, k = torch.split_with_sizes(qk, (heads, groups), 1)
            if cache is not None:
                k, v = cache.append(torch.cat([k, v], dim=1))
        return self._close(self.attend(q, k, v, mask))

    def _by_hand(self, qkv: Tensor) -> bool:
        plain = self.causal and self.heads == self.kv_heads and self.record is None
        return plain and suits(qkv)

    def _close(self, y: Tensor) -> Tensor:
        """What heads gathered, (B, H, T, E), to (B, T, D)."""
        return self.out(y.transpose(1, 2).flatten(2))

    def _normalise(self, qk: Tensor, name: NormName) -> Tensor:
        if not torch.is_autocast_enabled(qk.device.type):
            return normalise(name, qk)
        with torch.autocast(qk.device.type, enabled=False):  # it would turn to float32 and back
            return normalise(name, qk)

    def _split(self, x: Tensor, heads: int) -> Tensor:
        """(B, T, heads E) to (B, heads, T, E)."""
        return x.view(*x.shape[:2], heads, self.size).transpose(1, 2)

    def _key_values(self, kv: Tensor) -> tuple[Tensor, Tensor]:
        k, v = kv.split(self.kv_heads * self.size, dim=-1)
        return self._split(k, self.kv_heads), self._split(v, self.kv_heads)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        """What queries (B, H, T, E) gather: (B, H, T, E); keys and values are (B, G, S, E)."""
        tokens, seen = q.shape[2], k.shape[2]
        causal = self.causal and bool(tokens > 1)  # a traced length gives no plain bool
        if causal and (mask is not None or tokens != seen):  # new tokens after those of a cache
            below = torch.ones(tokens, seen, dtype=torch.bool, device=q.device)
            below = below.tril(seen - tokens)
            mask, causal = below if mask is None else mask & below, False
        if self.kv_heads != self.heads:
            groups = self.heads // self.kv_heads
            k, v = (one.repeat_interleave(groups, dim=1) for one in (k, v))
        if self.record is not None:
            self.record.append(weights(q, k, mask, causal))
        return attend(q, k, v, mask, causal)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """Scaled dot-product attention: (B, H, T, E), (B, H, S, E) twice, to (B, H, T, E).

    In bf16 on a CPU plain matrix products are two to four times as fast as torch's fused kernel.
    """
    if v.dtype != torch.bfloat16 or v.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
    batch, heads, tokens, size = q.shape
    q, k, v = (one.reshape(batch * heads, -1, size) for one in (q * size**-0.5, k, v))
    compiling = torch.compiler.is_compiling()  # a traced length has no plain blocks
    if causal and mask is None and not compiling:
        return causal_products(q, k, v).view(batch, heads, tokens, size)
    scores = torch.bmm(q, k.mT)  # (B H, T, S)
    if causal:
        mask = torch.ones(tokens, tokens, dtype=torch.bool, device=q.device).tril()
    if mask is not None:
        far = torch.zeros(mask.shape, dtype=scores.dtype).masked_fill_(~mask, float("-inf"))
        scores.view(batch, heads, tokens, -1).add_(far)
    return torch.bmm(scores.softmax(-1), v).view(batch, heads, tokens, size)


def weights(q: Tensor, k: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """Where each token looks: (B, H, T, S), rows sum to one."""
    scores = q.float() @ k.float().mT / q.shape[-1] ** 0.5
    if causal:
        mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(-1)


@contextlib.contextmanager
def record_attention(model: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """Collect what every attention layer computes inside: name to a list of (B, H, T, S) a call.

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
