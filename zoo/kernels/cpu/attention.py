"""Causal attention on a CPU with a backward pass of its own.

The same as scaled_dot_product_attention(q, k, v, is_causal=True), but quicker to train: products of
large matrices, over blocks of queries with the keys up to each block's end alone, and probabilities
that are kept for the gradient where torch computes them again. In float32 a sequence at a time, so
that it stays in the cache, for 200 to 500 tokens; in bfloat16 all sequences at once, for any.
Letters and equations of the gradient: Dao et al., 2022, https://arxiv.org/abs/2205.14135, appendix
B.2: scores s, probabilities p, output o, ds the gradient of s.
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
LENGTHS = range(192, 513)  # shorter: calls cost more than they save; longer: the probabilities do
MIN_NUMEL = 3 * 2**16  # of queries, keys and values; the same of smaller matrices


def _is_plain_causal(
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
        and all(tensor.shape[1] == packed[0].shape[1] for tensor in packed)
        and packed[-1].shape[3] == packed[0].shape[3]
    )


def _trains_mid_sized(packed: Sequence[Tensor], heads: int, *_: Any, **__: Any) -> bool:
    if not torch.is_grad_enabled():  # first: generation counts microseconds
        return False
    tokens, size = packed[0].shape[1], packed[0].shape[3]
    return (
        MKL_AVAILABLE
        and tokens in LENGTHS
        and tokens * 3 * heads * size >= MIN_NUMEL
        and any(tensor.requires_grad for tensor in packed)
    )


@attention.implementation((torch.float32,), supports=_is_plain_causal, pays=_trains_mid_sized)
def causal_attention_by_blocks(
    packed: Sequence[Tensor],
    heads: int,
    kv_heads: int,
    mask: Tensor | None = None,
    causal: bool = True,
) -> Tensor:
    """Causal self-attention, differentiable once."""
    parts = (tensor.transpose(1, 2) for tensor in packed)  # (B, n, T, E)
    return _CausalAttention.apply(heads, *parts).transpose(1, 2)


def _is_bfloat16(packed: Sequence[Tensor], *_: Any, **__: Any) -> bool:
    v = packed[-1]
    alike = v.shape[3] == packed[0].shape[3]
    return alike and v.dtype == torch.bfloat16 and v.device.type == "cpu"


@attention.implementation((torch.bfloat16,), supports=_is_bfloat16)
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
    q, k, v = (tensor.reshape(batch * heads, -1, size) for tensor in (q * size**-0.5, k, v))
    if causal:
        o = causal_products(q, k, v)
    else:
        s = torch.bmm(q, k.mT)  # (B H, T, S)
        if mask is not None:
            bias = torch.zeros(mask.shape, dtype=s.dtype).masked_fill_(~mask, float("-inf"))
            s.view(batch, heads, tokens, -1).add_(bias)
        o = torch.bmm(s.softmax(-1), v)
    return o.view(batch, heads, tokens, size).transpose(1, 2)


class _CausalAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, heads: int, *packed: Tensor) -> Tensor:
        q, k, v = _heads(packed, heads)
        tokens, size = q.shape[2:]
        o, p = _empty_like(q), _empty_probabilities(q)
        workspace, small = q.new_empty(heads * BLOCK * tokens), q.new_empty(heads * BLOCK * size)
        causal_bias = torch.full((BLOCK, BLOCK), float("-inf")).triu(1)
        for q_b, k_b, v_b, o_b, p_b in zip(q, k, v, o, p):  # a sequence at a time
            for start, stop, p_i in _blocks(p_b, heads, tokens):
                s = _product(workspace, q_b[:, start:stop], k_b[:, :stop].mT, size**-0.5)
                s[:, :, start:].add_(causal_bias[: stop - start, : stop - start])
                torch.softmax(s, -1, out=p_i)
                o_b[:, start:stop] = _product(small, p_i, v_b[:, :stop])
        ctx.save_for_backward(p, *packed)
        ctx.heads = heads
        return o

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        heads = ctx.heads
        p, *packed = ctx.saved_tensors
        gradients = [_empty_like(tensor) for tensor in packed]
        (q, k, v), grads = _heads(packed, heads), _heads(gradients, heads)
        tokens, size = q.shape[2:]
        scale = size**-0.5
        workspace, small = q.new_empty(heads * BLOCK * tokens), q.new_empty(heads * tokens * size)
        for_k, for_v = torch.empty_like(small), torch.empty_like(small)
        for q_b, k_b, v_b, p_b, do, dq, dk, dv in zip(q, k, v, p, grad_output, *grads):
            for start, stop, p_i in _blocks(p_b, heads, tokens):
                q_i, do_i = q_b[:, start:stop], do[:, start:stop]  # (H, t, E)
                ds = _product(workspace, do_i, v_b[:, :stop].mT)  # (H, t, S), dp first
                torch._softmax_backward_data(ds, p_i, -1, ds.dtype, grad_input=ds)
                dq[:, start:stop] = _product(small, ds, k_b[:, :stop], scale)
                if stop == tokens:
                    dk_sum = _product(for_k, ds.mT, q_i, scale)  # (H, T, E)
                    dv_sum = _product(for_v, p_i.mT, do_i)
                else:
                    dk_sum[:, :stop].add_(_product(small, ds.mT, q_i, scale))
                    dv_sum[:, :stop].add_(_product(small, p_i.mT, do_i))
            dk.copy_(dk_sum)
            dv.copy_(dv_sum)
        return None, *gradients


def causal_products(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention output (N, T, E) of queries (already scaled), keys, values of that shape.

    Differentiable once.
    """
    return _CausalProducts.apply(q, k, v)


class _CausalProducts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        o, p = torch.empty_like(q), []
        causal_bias = q.new_full((BLOCK, BLOCK), float("-inf")).triu(1)
        for start, stop in _ends(q.shape[1]):
            s = torch.bmm(q[:, start:stop], k[:, :stop].mT)  # (N, t, S)
            s[:, :, start:].add_(causal_bias[: stop - start, : stop - start])
            p.append(s.softmax(-1))
            o[:, start:stop] = torch.bmm(p[-1], v[:, :stop])
        ctx.save_for_backward(q, k, v, *p)
        return o

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v, *p = ctx.saved_tensors
        dq, tokens = torch.empty_like(q), q.shape[1]
        for p_i, (start, stop) in zip(p, _ends(tokens)):
            q_i, do_i = q[:, start:stop], grad_output[:, start:stop]  # (N, t, E)
            ds = torch.bmm(do_i, v[:, :stop].mT)  # (N, t, S), dp first
            torch._softmax_backward_data(ds, p_i, -1, ds.dtype, grad_input=ds)
            dq[:, start:stop] = torch.bmm(ds, k[:, :stop])
            if stop == tokens:
                dk, dv = torch.bmm(ds.mT, q_i), torch.bmm(p_i.mT, do_i)  # (N, T, E)
            else:
                dk[:, :stop] += torch.bmm(ds.mT, q_i)
                dv[:, :stop] += torch.bmm(p_i.mT, do_i)
        return dq, dk, dv


def _heads(packed: Sequence[Tensor], heads: int) -> list[Tensor]:
    """Queries, keys, values, (B, H, T, E) each."""
    return [qkv for tensor in packed for qkv in tensor.split(heads, 1)]


def _empty_like(x: Tensor) -> Tensor:
    """Of the shape (B, N, T, E) of x, the heads of a token side by side, as linear layers read."""
    batch, heads, tokens, size = x.shape
    return x.new_empty(batch, tokens, heads, size).transpose(1, 2)


def _product(workspace: Tensor, a: Tensor, b: Tensor, scale: float = 1.0) -> Tensor:
    """scale a b, of batches of matrices, at the front of `workspace`, which stays in the cache."""
    shape = *a.shape[:2], b.shape[2]
    out = workspace[: shape[0] * shape[1] * shape[2]].view(shape)
    return torch.baddbmm(out, a, b, beta=0, alpha=scale, out=out)


def _ends(tokens: int) -> list[tuple[int, int]]:
    """From, to of each block of queries; the last one first, which sees all keys."""
    return [(start, min(start + BLOCK, tokens)) for start in reversed(range(0, tokens, BLOCK))]


def _empty_probabilities(q: Tensor) -> Tensor:
    """Space for the probabilities of all blocks, one after another: a row a sequence."""
    batch, heads, tokens, _ = q.shape
    return q.new_empty(batch, heads * sum((b - a) * b for a, b in _ends(tokens)))


def _blocks(p: Tensor, heads: int, tokens: int) -> Iterator[tuple[int, int, Tensor]]:
    """From, to of each block, and its probabilities (H, t, S)."""
    offset = 0
    for start, stop in _ends(tokens):
        length = heads * (stop - start) * stop
        yield start, stop, p[offset : offset + length].view(heads, stop - start, stop)
        offset += length
