"""Causal attention on a CPU, its gradient by hand.

The same as scaled_dot_product_attention(q, k, v, is_causal=True), but quicker to train: products of
large matrices, over blocks of queries with the keys up to each block's end alone, and shares that
are kept for the gradient where torch computes them again. In float32 a text at a time, so that it
stays in the cache, for windows of 200 to 500 tokens; in bfloat16 all texts at once, for any.
Equations of the gradient: Dao et al., 2022, https://arxiv.org/abs/2205.14135, appendix B.2.
Shapes: B batch, H heads, T tokens, E width of a head, t queries of a block, S keys that they see,
N = B H.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.kernels.attention import attention, causal_mask, unpack

MKL_AVAILABLE = torch.backends.mkl.is_available()  # whose products it was measured with
BLOCK = 128  # queries: what one block computes stays in a core's cache
LENGTHS = range(192, 513)  # shorter, and calls cost more than they save; longer, the shares do
MIN_NUMEL = 3 * 2**16  # of queries, keys and values; the same of smaller matrices


def _plain_causal(
    packed: Sequence[Tensor],
    heads: int,
    kv_heads: int,
    mask: Tensor | None = None,
    causal: bool = False,
) -> bool:
    return (
        causal
        and mask is None
        and heads == kv_heads
        and packed[0].dtype == torch.float32
        and packed[0].device.type == "cpu"
        and all(part.shape[1] == packed[0].shape[1] for part in packed)
    )


def _trains_mid_sized(packed: Sequence[Tensor], heads: int, *_: Any, **__: Any) -> bool:
    _, tokens, _, size = packed[0].shape
    return (
        MKL_AVAILABLE
        and tokens in LENGTHS
        and tokens * 3 * heads * size >= MIN_NUMEL
        and torch.is_grad_enabled()
        and any(part.requires_grad for part in packed)
    )


@attention.implementation((torch.float32,), supports=_plain_causal, pays=_trains_mid_sized)
def causal_attention(
    packed: Sequence[Tensor],
    heads: int,
    kv_heads: int,
    mask: Tensor | None = None,
    causal: bool = True,
) -> Tensor:
    """Causal self-attention, differentiable once."""
    stacks = (part.transpose(1, 2) for part in packed)  # (B, n, T, E)
    return _CausalAttention.apply(heads, *stacks).transpose(1, 2)


def _bfloat16(packed: Sequence[Tensor], *_: Any, **__: Any) -> bool:
    return packed[-1].dtype == torch.bfloat16 and packed[-1].device.type == "cpu"


@attention.implementation((torch.bfloat16,), supports=_bfloat16)
def attention_by_products(
    packed: Sequence[Tensor],
    heads: int,
    kv_heads: int,
    mask: Tensor | None = None,
    causal: bool = False,
) -> Tensor:
    """In bf16 on a CPU plain matrix products are two to four times as fast as torch's kernel."""
    q, k, v = unpack(packed, heads, kv_heads)
    mask, causal = causal_mask(q, k, mask, causal)
    batch, _, tokens, size = q.shape
    q, k, v = (one.reshape(batch * heads, -1, size) for one in (q * size**-0.5, k, v))
    if causal:
        y = causal_products(q, k, v)
    else:
        scores = torch.bmm(q, k.mT)  # (B H, T, S)
        if mask is not None:
            far = torch.zeros(mask.shape, dtype=scores.dtype).masked_fill_(~mask, float("-inf"))
            scores.view(batch, heads, tokens, -1).add_(far)
        y = torch.bmm(scores.softmax(-1), v)
    return y.view(batch, heads, tokens, size).transpose(1, 2)


class _CausalAttention(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, heads: int, *stacks: Tensor) -> Tensor:
        q, k, v = _parts(stacks, heads)
        tokens, size = q.shape[2:]
        y, shares = _new(q), _new_shares(q)
        room, small = q.new_empty(heads * BLOCK * tokens), q.new_empty(heads * BLOCK * size)
        far = torch.full((BLOCK, BLOCK), float("-inf")).triu(1)
        for q_one, k_one, v_one, y_one, kept in zip(q, k, v, y, shares):  # a text at a time
            for start, stop, share in _blocks(kept, heads, tokens):
                scores = _product(room, q_one[:, start:stop], k_one[:, :stop].mT, size**-0.5)
                scores[:, :, start:].add_(far[: stop - start, : stop - start])
                torch.softmax(scores, -1, out=share)
                y_one[:, start:stop] = _product(small, share, v_one[:, :stop])
        context.save_for_backward(shares, *stacks)
        context.heads = heads
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        heads = context.heads
        shares, *stacks = context.saved_tensors
        gradients = [_new(stack) for stack in stacks]
        (q, k, v), grads = _parts(stacks, heads), _parts(gradients, heads)
        tokens, size = q.shape[2:]
        scale = size**-0.5
        room, small = q.new_empty(heads * BLOCK * tokens), q.new_empty(heads * tokens * size)
        k_room, v_room = torch.empty_like(small), torch.empty_like(small)
        for q_one, k_one, v_one, kept, dy, dq, dk, dv in zip(q, k, v, shares, outer, *grads):
            for start, stop, share in _blocks(kept, heads, tokens):
                asked, own = q_one[:, start:stop], dy[:, start:stop]  # (H, t, E)
                inner = _product(room, own, v_one[:, :stop].mT)  # (H, t, S), of the shares
                torch._softmax_backward_data(inner, share, -1, inner.dtype, grad_input=inner)
                dq[:, start:stop] = _product(small, inner, k_one[:, :stop], scale)
                if stop == tokens:
                    k_sum = _product(k_room, inner.mT, asked, scale)  # (H, T, E)
                    v_sum = _product(v_room, share.mT, own)
                else:
                    k_sum[:, :stop].add_(_product(small, inner.mT, asked, scale))
                    v_sum[:, :stop].add_(_product(small, share.mT, own))
            dk.copy_(k_sum)
            dv.copy_(v_sum)
        return None, *gradients


def causal_products(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """What each token gathers, (N, T, E), of queries (already scaled), keys, values of that shape.

    Differentiable once.
    """
    return _CausalProducts.apply(q, k, v)


class _CausalProducts(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        y, kept = torch.empty_like(q), []
        far = q.new_full((BLOCK, BLOCK), float("-inf")).triu(1)
        for start, stop in _ends(q.shape[1]):
            scores = torch.bmm(q[:, start:stop], k[:, :stop].mT)  # (N, t, S)
            scores[:, :, start:].add_(far[: stop - start, : stop - start])
            kept.append(scores.softmax(-1))
            y[:, start:stop] = torch.bmm(kept[-1], v[:, :stop])
        context.save_for_backward(q, k, v, *kept)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, outer: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v, *kept = context.saved_tensors
        dq, tokens = torch.empty_like(q), q.shape[1]
        for share, (start, stop) in zip(kept, _ends(tokens)):
            asked, own = q[:, start:stop], outer[:, start:stop]  # (N, t, E)
            inner = torch.bmm(own, v[:, :stop].mT)  # (N, t, S), of the shares
            torch._softmax_backward_data(inner, share, -1, inner.dtype, grad_input=inner)
            dq[:, start:stop] = torch.bmm(inner, k[:, :stop])
            if stop == tokens:
                dk, dv = torch.bmm(inner.mT, asked), torch.bmm(share.mT, own)  # (N, T, E)
            else:
                dk[:, :stop] += torch.bmm(inner.mT, asked)
                dv[:, :stop] += torch.bmm(share.mT, own)
        return dq, dk, dv


def _parts(stacks: Any, heads: int) -> list[Tensor]:
    """Queries, keys, values, (B, H, T, E) each."""
    return [part for stack in stacks for part in stack.split(heads, 1)]


def _new(x: Tensor) -> Tensor:
    """Of the shape (B, N, T, E) of x, the heads of a token side by side, as linear layers read."""
    batch, number, tokens, size = x.shape
    return x.new_empty(batch, tokens, number, size).transpose(1, 2)


def _product(room: Tensor, a: Tensor, b: Tensor, scale: float = 1.0) -> Tensor:
    """scale a b, of batches of matrices, at the front of `room`, which stays in the cache."""
    shape = *a.shape[:2], b.shape[2]
    out = room[: shape[0] * shape[1] * shape[2]].view(shape)
    return torch.baddbmm(out, a, b, beta=0, alpha=scale, out=out)


def _ends(tokens: int) -> list[tuple[int, int]]:
    """From, to of each block of queries; the last one first, which sees all keys."""
    return [(start, min(start + BLOCK, tokens)) for start in reversed(range(0, tokens, BLOCK))]


def _new_shares(q: Tensor) -> Tensor:
    """Room for what each token takes of each before it, block after block: a row a text."""
    batch, heads, tokens, _ = q.shape
    return q.new_empty(batch, heads * sum((b - a) * b for a, b in _ends(tokens)))


def _blocks(kept: Tensor, heads: int, tokens: int) -> Iterator[tuple[int, int, Tensor]]:
    """From, to of each block, and its shares (H, t, S)."""
    at = 0
    for start, stop in _ends(tokens):
        length = heads * (stop - start) * stop
        yield start, stop, kept[at : at + length].view(heads, stop - start, stop)
        at += length
