"""Transformer blocks: attention, then a feed-forward layer, each in a residual branch.

Vaswani et al., 2017, https://arxiv.org/abs/1706.03762, section 3.1.
Shapes: B batch, T tokens, S tokens of the memory, D width.
"""

from typing import Any

from torch import Tensor, nn

from zoo.layers.attention import Attention
from zoo.layers.cache import KVCache
from zoo.layers.dropout import Dropout
from zoo.layers.feed_forward import FeedForward, FeedForwardName
from zoo.layers.norm import NormName, make_norm
from zoo.layers.positions import Rotation


class PreNormBlock(nn.Module):
    """An attention layer and a feed-forward layer of any kind, each in a residual branch that an
    RMSNorm begins, as in Llama.

    Args:
        width: D.
        attention: Called with x, mask=, rotation= and cache=.
        feed_forward: Called with x.
        eps: Epsilon of the norms.
        dropout: Dropout probability at the end of each residual branch.
    """

    def __init__(
        self,
        width: int,
        attention: nn.Module,
        feed_forward: nn.Module,
        eps: float = 1e-5,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(width, eps)
        self.attention = attention
        self.feed_forward_norm = nn.RMSNorm(width, eps)
        self.feed_forward = feed_forward
        self.dropout = Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        rotation: Rotation | None = None,
        cache: Any = None,
    ) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        h = self.attention(self.attention_norm(x), mask=mask, rotation=rotation, cache=cache)
        x = x + self.dropout(h)
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


class Block(nn.Module):
    """Self-attention, with `cross` attention to a memory, and feed-forward.

    Args:
        width, heads, kv_heads, causal: As in `Attention`.
        cross: Whether there is attention to a memory (the encoder's output), as in a decoder.
        activation, inner: As in `FeedForward`.
        norm: `layer` or `rms`.
        pre_norm: Whether the norm is the first operation of each residual branch (Xiong et al.,
            2020, arXiv:2002.04745) or follows the sum, as in the original.
        qk_norm: Whether queries and keys are normalised too, by the same kind of norm.
        bias: Whether linear layers and norms have a bias.
        eps: Epsilon of the norms.
        dropout: Dropout probability at the end of each residual branch.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        kv_heads: int | None = None,
        causal: bool = False,
        cross: bool = False,
        activation: FeedForwardName = "gelu",
        inner: int | None = None,
        norm: NormName = "layer",
        pre_norm: bool = True,
        qk_norm: bool = False,
        bias: bool = True,
        eps: float = 1e-5,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.attention = Attention(
            width, heads, kv_heads, causal, bias=bias, qk_norm=norm if qk_norm else None
        )
        self.attention_norm = make_norm(norm, width, bias, eps)
        self.cross: Attention | None = None
        if cross:
            self.cross = Attention(width, heads, kv_heads, cross=True, bias=bias)
            self.cross_norm = make_norm(norm, width, bias, eps)
        self.feed_forward = FeedForward(width, activation, inner, bias)
        self.feed_forward_norm = make_norm(norm, width, bias, eps)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        rotation: Rotation | None = None,
        cache: KVCache | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        memory_cache: KVCache | None = None,
    ) -> Tensor:
        """(B, T, D) to (B, T, D).

        Args:
            x, mask, rotation, cache: As in `Attention`.
            memory, memory_mask, memory_cache: With `cross`, the same for attention to the memory.
        """
        x = self.attend(x, mask, rotation, cache, memory, memory_mask, memory_cache)
        return self.transform(x)

    def attend(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        rotation: Rotation | None = None,
        cache: KVCache | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        memory_cache: KVCache | None = None,
    ) -> Tensor:
        """Apply the attention branches, which mix tokens: (B, T, D) to (B, T, D)."""
        if self.pre_norm:
            h = self.attention(self.attention_norm(x), None, mask, rotation, cache)
            x = x + self._drop(h)
            if self.cross is not None:
                h = self.cross(self.cross_norm(x), memory, memory_mask, cache=memory_cache)
                x = x + self._drop(h)
            return x
        x = self.attention_norm(x + self._drop(self.attention(x, None, mask, rotation, cache)))
        if self.cross is not None:
            h = self.cross(x, memory, memory_mask, cache=memory_cache)
            x = self.cross_norm(x + self._drop(h))
        return x

    def transform(self, x: Tensor) -> Tensor:
        """Apply the feed-forward branch, to each token separately: (..., D) to (..., D)."""
        if self.pre_norm:
            return x + self._drop(self.feed_forward(self.feed_forward_norm(x)))
        return self.feed_forward_norm(x + self._drop(self.feed_forward(x)))

    def _drop(self, h: Tensor) -> Tensor:
        # Skips a module call, which costs much of a decoding step of a small model.
        return self.dropout(h) if self.training else h
