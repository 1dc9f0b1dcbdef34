"""Scaled dot-product attention: softmax(Q K^T / sqrt(E)) V.

Vaswani et al., 2017, https://arxiv.org/abs/1706.03762, equation 1. Key/value heads may be fewer
than query heads, each shared by a group (Ainslie et al., 2023, arXiv:2305.13245).
Shapes: B batch, T queries, S keys and values, H query heads, G key/value heads, E head width.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.kernels.registry import Arguments, kernel


def _examples() -> Iterator[Arguments]:
    """Packed in one tensor, two or three; causal, masked, with shared heads, with a cache."""

    def heads(*counts: int, tokens: int = 5) -> list[Tensor]:
        shapes = ((2, tokens, count, 16) for count in counts)
        return [torch.randn(shape, dtype=torch.float64).requires_grad_() for shape in shapes]

    for tokens in (1, 127, 128, 129, 300):
        for packed in (heads(9, tokens=tokens), heads(6, 3, tokens=tokens)):
            yield packed, 3, 3, None, True
    yield heads(3, 3, 3, tokens=256), 3, 3, None, True
    yield heads(9), 3, 3, None, False
    yield heads(4, 2, 2), 4, 2, None, True
    yield heads(3) + heads(3, 3, tokens=8), 3, 3, None, True
    padding = (torch.arange(5) < torch.tensor([5, 3])[:, None])[:, None, None]
    yield heads(9), 3, 3, padding, False
    yield heads(9), 3, 3, padding, True


@kernel(examples=_examples)
def attention(
    packed: Sequence[Tensor],
    heads: int,
    kv_heads: int,
    mask: Tensor | None = None,
    causal: bool = False,
) -> Tensor:
    """Attention of all heads: (B, T, H, E).

    Args:
        packed: H query, G key and G value heads, in this order along dimension 2, in one tensor
            (B, T, H + 2 G, E), or cut into several: keys and values may then be longer, S for T.
        heads, kv_heads: H, G.
        mask: True where a query may attend, broadcastable to (B, 1, T, S); None for everywhere.
        causal: Whether query t attends only to keys 0 to S - T + t.
    """
    q, k, v = unpack(packed, heads, kv_heads)
    mask, causal = causal_mask(q, k, mask, causal)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal).transpose(1, 2)


def attention_weights(
    packed: Sequence[Tensor],
    heads: int,
    kv_heads: int,
    mask: Tensor | None = None,
    causal: bool = False,
) -> Tensor:
    """Only the softmax, (B, H, T, S): rows sum to one."""
    q, k, _ = unpack(packed, heads, kv_heads)
    scores = q.float() @ k.float().mT / q.shape[-1] ** 0.5
    mask, causal = causal_mask(q, k, mask, causal)
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
    return (scores if mask is None else scores.masked_fill(~mask, float("-inf"))).softmax(-1)


def unpack(packed: Sequence[Tensor], heads: int, kv_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (B, H, T, E), keys and values (B, H, S, E): shared ones repeated."""
    sizes = [heads, kv_heads, kv_heads]
    if len(packed) == 1:
        packed = packed[0].split(sizes, 2)
    elif len(packed) == 2:
        packed = (*packed[0].split(sizes[:2], 2), packed[1])
    q, k, v = (tensor.transpose(1, 2) for tensor in packed)
    if kv_heads != heads:
        k, v = (tensor.repeat_interleave(heads // kv_heads, dim=1) for tensor in (k, v))
    return q, k, v


def causal_mask(
    q: Tensor, k: Tensor, mask: Tensor | None, causal: bool
) -> tuple[Tensor | None, bool]:
    """A causal mask written out, where torch's flag cannot express it (a mask; cached keys)."""
    tokens, keys = q.shape[2], k.shape[2]
    causal = causal and bool(tokens > 1)  # a traced length gives no plain bool
    if causal and (mask is not None or tokens != keys):
        below = torch.ones(tokens, keys, dtype=torch.bool, device=q.device).tril(keys - tokens)
        return (below if mask is None else mask & below), False
    return mask, causal
