"""A Transformer block: attention, then feed-forward, each added to what came in.

Shapes: B batch, T tokens, S tokens of another sequence, D width.
"""

from torch import Tensor, nn

from zoo.layers.attention import Attention
from zoo.layers.cache import KVCache
from zoo.layers.dropout import Dropout
from zoo.layers.feed_forward import FeedForward, FeedForwardName
from zoo.layers.norm import NormName, make_norm
from zoo.layers.positions import Rotation


class Block(nn.Module):
    """Self-attention, (with `cross`) attention to another sequence, feed-forward.

    Args:
        width, heads, kv_heads, causal, bias: As in `Attention`.
        cross: Whether there is attention to a memory, as in a decoder.
        activation, inner: As in `FeedForward`.
        norm: Which normalisation.
        qk_norm: Whether queries and keys are normalised likewise.
        pre_norm: Whether it comes before each part, inside the residual branch (Xiong et al., 2020,
            arXiv:2002.04745), or after the sum, as in the original.
        eps: Of the normalisation.
        dropout: On what each part adds.
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
        """(B, T, D) to (B, T, D); masks and caches as in `Attention`."""
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
        """The first half, which passes information between tokens: (B, T, D) to (B, T, D)."""
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
        """The second half, which takes each token by itself: (..., D) to (..., D)."""
        if self.pre_norm:
            return x + self._drop(self.feed_forward(self.feed_forward_norm(x)))
        return self.feed_forward_norm(x + self._drop(self.feed_forward(x)))

    def _drop(self, h: Tensor) -> Tensor:
        return self.dropout(h) if self.training else h  # generation counts microseconds
