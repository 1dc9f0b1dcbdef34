"""Multi-head attention: softmax(Q K^T / sqrt(E)) V in several heads, between two projections.

Vaswani et al., 2017, https://arxiv.org/abs/1706.03762, section 3.2. Grouped key/value heads:
Ainslie et al., 2023, arXiv:2305.13245. Normalised queries and keys: Henry et al., 2020,
arXiv:2010.04245. Sliding window: Beltagy et al., 2020, arXiv:2004.05150. `zoo.kernels.attention`
computes the softmax and the weighted sum.
Shapes: B batch, T query positions, S key positions, D width, H heads, G key/value heads,
E head width.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from zoo.kernels import attention, attention_weights, normalise
from zoo.layers.cache import KVCache
from zoo.layers.linear import Linear
from zoo.layers.norm import NormName
from zoo.layers.positions import Rotation, rotate
from zoo.layers.recording import RecordsAttention

QKNormName = Literal[NormName, "learned"]


class Attention(RecordsAttention):
    """Multi-head attention of a sequence to itself, or (`cross`) to another sequence.

    Args:
        width: D.
        heads: H; divides the width.
        kv_heads: G key/value heads, each shared by H / G query heads; None for H.
        causal: Whether a position attends only to itself and earlier positions.
        cross: Whether keys and values come from `memory` instead of x.
        bias: Whether the projections have a bias.
        qk_norm: How to normalise the queries and keys of each head: `layer` or `rms`, or `learned`,
            an RMSNorm with weights for each of the two; None for not at all.
        out_bias: Whether the last projection has a bias; None for as the others.
        head_width: E; None for D / H.
        window: With `causal`, how many tokens a position attends to at most, itself included; None
            for all.
        eps: Epsilon of a `learned` norm.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        kv_heads: int | None = None,
        causal: bool = False,
        cross: bool = False,
        bias: bool = True,
        qk_norm: QKNormName | None = None,
        out_bias: bool | None = None,
        head_width: int | None = None,
        window: int | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        kv_heads = kv_heads or heads
        if head_width is None and width % heads or heads % kv_heads:
            raise ValueError(
                f"heads={heads} must divide width={width}, kv_heads={kv_heads} must divide heads"
            )
        self.heads, self.kv_heads, self.head_width = heads, kv_heads, head_width or width // heads
        self.causal, self.cross, self.qk_norm, self.window = causal, cross, qk_norm, window
        q_width, kv_width = heads * self.head_width, 2 * kv_heads * self.head_width
        if cross:
            self.q = Linear(width, q_width, bias=bias)
            self.kv = Linear(width, kv_width, bias=bias)
        else:
            self.qkv = Linear(width, q_width + kv_width, bias=bias)
        if qk_norm == "learned":
            self.q_norm = nn.RMSNorm(self.head_width, eps)
            self.k_norm = nn.RMSNorm(self.head_width, eps)
        self.out = Linear(q_width, width, bias=bias if out_bias is None else out_bias)

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        rotation: Rotation | None = None,
        cache: KVCache | None = None,
    ) -> Tensor:
        """Project to queries, keys and values, attend, merge the heads, project back.

        Args:
            x: (B, T, D).
            memory: With `cross`, the sequence to attend to (B, S, D).
            mask: True where attention is allowed, broadcastable to (B, 1, T, S); None: everywhere.
            rotation: Rotary positions of the T tokens of x.
            cache: Keys and values of the tokens before x; those of x are appended. With `cross`,
                keys and values of the memory, which are computed once.

        Returns:
            (B, T, D).
        """
        if self.cross:
            packed = self._project_cross(x, memory, cache)
        else:
            packed = self._project_self(x, rotation, cache)
        y = self.attend(packed, mask)  # (B, T, H, E)
        return self.out(y.flatten(2))

    def _project_self(
        self, x: Tensor, rotation: Rotation | None, cache: KVCache | None
    ) -> list[Tensor]:
        """Queries, keys and values of x, in one tensor or several, as the kernel takes them."""
        qkv = self._split_heads(self.qkv(x))  # (B, T, H + 2 G, E)
        if self.qk_norm is None and rotation is None and cache is None:
            return [qkv]
        qk, v = qkv.split((self.heads + self.kv_heads, self.kv_heads), 2)
        if self.qk_norm is not None:
            qk = self.normalise(qk)
        if rotation is not None:
            qk = rotate(qk.transpose(1, 2), rotation).transpose(1, 2)
        if cache is None:
            return [qk, v]
        q, k = qk.split((self.heads, self.kv_heads), 2)
        return [q, *cache.append(torch.cat([k, v], 2))]

    def normalise(self, qk: Tensor) -> Tensor:
        """Normalise queries and keys, (..., H + G, E), each head by itself."""
        if self.qk_norm != "learned":
            assert self.qk_norm is not None
            return normalise(self.qk_norm, qk)
        q_scale = self.q_norm.weight.expand(self.heads, -1)
        scale = torch.cat([q_scale, self.k_norm.weight.expand(self.kv_heads, -1)])  # (H + G, E)
        return normalise("rms", qk, self.q_norm.eps) * scale.to(qk.dtype)

    def _project_cross(
        self, x: Tensor, memory: Tensor | None, cache: KVCache | None
    ) -> list[Tensor]:
        """Queries of x; keys and values of the memory, from the cache once they are in it."""
        q = self._split_heads(self.q(x))  # (B, T, H, E)
        if cache is not None and cache.length:
            return [q, *cache.read()]
        assert memory is not None
        kv = self._split_heads(self.kv(memory))  # (B, S, 2 G, E)
        return [q, *(kv.split(self.kv_heads, 2) if cache is None else cache.append(kv))]

    def _split_heads(self, x: Tensor) -> Tensor:
        """(B, T, n E) to (B, T, n, E)."""
        return x.unflatten(2, (-1, self.head_width))

    def attend(self, packed: list[Tensor], mask: Tensor | None = None) -> Tensor:
        """Attention output of each head, (B, T, H, E)."""
        if self.window is not None:
            mask = self._within_window(packed, mask)
        arguments = packed, self.heads, self.kv_heads, mask, self.causal
        if self.record is not None:
            self.record.append(attention_weights(*arguments))
        return attention(*arguments)

    def _within_window(self, packed: list[Tensor], mask: Tensor | None) -> Tensor | None:
        """The mask with keys left out that lie further back than the window."""
        assert self.window is not None
        tokens, keys = packed[0].shape[1], packed[-1].shape[1]
        if keys <= self.window:
            return mask
        place = torch.arange(keys, device=packed[0].device)
        near = place > place[-tokens:, None] - self.window  # (T, S)
        return near if mask is None else mask & near
