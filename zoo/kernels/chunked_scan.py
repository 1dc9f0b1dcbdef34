"""The selective scan chunk by chunk: states exist of one chunk at a time, and are computed again
for the gradient.

The state is N times as large as what a token reads or writes. Autograd would keep several of that
size for each token; here one for each chunk is kept, and all else is computed for a chunk at once.
Only the recurrence h_t = decay_t h_(t-1) + u_t has an order. On a CPU a chunk fits in its cache,
and one multiply-add goes from token to token. Elsewhere chunks are long and tokens are combined in
parallel by recursive doubling (Hillis and Steele, 1986, https://doi.org/10.1145/7902.7903): after k
rounds each has met the 2^k before it. No decay is above one, and none is divided by: nothing
overflows.
As section 3.3.2 of Gu and Dao, 2023, https://arxiv.org/abs/2312.00752, in plain PyTorch.
Shapes: B batch, T tokens, L of them in a chunk, E channels, N numbers of state of each channel.
"""

import math
from typing import Any, Protocol

import torch
from torch import Tensor

from zoo.kernels.selective_scan import selective_scan as kernel

CACHED_NUMEL = 2**18  # of a chunk's states, on a CPU
PARALLEL_NUMEL = 2**24


class Accumulate(Protocol):
    """From token to token of a chunk."""

    def __call__(self, decay: Tensor, h: Tensor, reverse: bool = False) -> None:
        """In place h_t += decay_t h_(t-1), or in reverse h_(t-1) += decay_t h_t: (B, L, N, E)."""


def _supports(x: Tensor, delta: Tensor, rates: Tensor, *others: Any) -> bool:
    return x.dtype == delta.dtype == rates.dtype and x.dtype in (torch.float32, torch.float64)


def _several_on_a_cpu(x: Tensor, *others: Any) -> bool:
    return x.device.type == "cpu" and x.shape[1] > 1


def _several_elsewhere(x: Tensor, *others: Any) -> bool:
    return x.device.type != "cpu" and x.shape[1] > 1


@kernel.implementation((torch.float32,), supports=_supports, pays=_several_on_a_cpu)
def cached_scan(
    x: Tensor, delta: Tensor, rates: Tensor, b: Tensor, c: Tensor, state: Tensor | None = None
) -> Tensor:
    """Differentiable once."""
    inputs = (delta * x, delta, rates, b, c, state)
    return _Scan.apply(*inputs, _one_by_one, _chunk_length(x, rates, CACHED_NUMEL))


@kernel.implementation((torch.float32,), supports=_supports, pays=_several_elsewhere)
def doubling_scan(
    x: Tensor, delta: Tensor, rates: Tensor, b: Tensor, c: Tensor, state: Tensor | None = None
) -> Tensor:
    """Differentiable once."""
    inputs = (delta * x, delta, rates, b, c, state)
    return _Scan.apply(*inputs, _by_doubling, _chunk_length(x, rates, PARALLEL_NUMEL))


def _chunk_length(x: Tensor, rates: Tensor, numel: int) -> int:
    """L: as many tokens as have this many numbers of state; sqrt(T) at least, for which the states
    that are kept and those of a chunk take the least memory together."""
    return max(numel // (len(x) * rates.numel()), math.isqrt(x.shape[1]), 1)


def _one_by_one(decay: Tensor, h: Tensor, reverse: bool = False) -> None:
    """A multiply-add after another."""
    later = range(1, h.shape[1])
    for t in reversed(later) if reverse else later:
        to, by = (t - 1, t) if reverse else (t, t - 1)
        h[:, to].addcmul_(decay[:, t], h[:, by])


def _by_doubling(decay: Tensor, h: Tensor, reverse: bool = False) -> None:
    """In log2(L) rounds."""
    decay, reach = decay.clone(), 1
    while reach < h.shape[1]:
        later, earlier = slice(reach, None), slice(None, -reach)
        to, by = (earlier, later) if reverse else (later, earlier)
        h[:, to] = torch.addcmul(h[:, to], decay[:, later], h[:, by])
        decay[:, later] = decay[:, later] * decay[:, earlier]
        reach *= 2


class _Scan(torch.autograd.Function):
    """Of u = delta x in place of x."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        u, delta, rates, b, c, state, accumulate, length = inputs
        chunks = _chunks(u.shape[1], length)
        starts = u.new_zeros(len(chunks), len(u), *rates.shape)  # the state before each chunk
        if state is not None:
            starts[0] = state
        y, workspace = torch.empty_like(u), _workspace(2, u, rates, length)
        for k, chunk in enumerate(chunks):
            decay, h = workspace[:, :, : chunk.stop - chunk.start]
            _states(
                u[:, chunk], delta[:, chunk], rates, b[:, chunk], starts[k], decay, h, accumulate
            )
            if k + 1 < len(chunks):
                starts[k + 1] = h[:, -1]
            elif state is not None:
                state.copy_(h[:, -1])
            torch.sum(h.mul_(c[:, chunk, :, None]), 2, out=y[:, chunk])
        ctx.save_for_backward(u, delta, rates, b, c, starts)
        ctx.accumulate, ctx.length = accumulate, length
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """With g_t the gradient for h_t: g_t = dy_t c_t + decay_(t+1) g_(t+1)."""
        u, delta, rates, b, c, starts = ctx.saved_tensors
        du, d_delta, db, dc = (torch.empty_like(t) for t in (u, delta, b, c))
        d_rates, ahead = torch.zeros_like(starts[0]), torch.zeros_like(starts[0])
        workspace = _workspace(4, u, rates, ctx.length)
        for k, chunk in reversed(list(enumerate(_chunks(u.shape[1], ctx.length)))):
            decay, h, g, product = workspace[:, :, : chunk.stop - chunk.start]
            u_k, delta_k, b_k, dy_k = u[:, chunk], delta[:, chunk], b[:, chunk], dy[:, chunk]
            _states(u_k, delta_k, rates, b_k, starts[k], decay, h, ctx.accumulate)
            torch.mul(dy_k[:, :, None], c[:, chunk, :, None], out=g)
            g[:, -1] += ahead
            ctx.accumulate(decay, g, reverse=True)
            torch.mul(decay[:, 0], g[:, 0], out=ahead)
            torch.sum(torch.mul(h, dy_k[:, :, None], out=product), 3, out=dc[:, chunk])
            torch.sum(torch.mul(g, u_k[:, :, None], out=product), 3, out=db[:, chunk])
            torch.sum(torch.mul(g, b_k[..., None], out=product), 2, out=du[:, chunk])
            decay.mul_(g)  # and times h_(t-1): the gradient for delta A
            decay[:, 0].mul_(starts[k])
            decay[:, 1:].mul_(h[:, :-1])
            torch.sum(torch.mul(decay, rates, out=product), 2, out=d_delta[:, chunk])
            for t in range(decay.shape[1]):
                d_rates.addcmul_(decay[:, t], delta_k[:, t, None])
        return du, d_delta, d_rates.sum(0), db, dc, None, None, None


def _chunks(tokens: int, length: int) -> list[slice]:
    return [slice(k, min(k + length, tokens)) for k in range(0, tokens, length)]


def _workspace(count: int, u: Tensor, rates: Tensor, length: int) -> Tensor:
    """(count, B, L, N, E)."""
    return u.new_empty(count, len(u), min(length, u.shape[1]), *rates.shape)


def _states(
    u: Tensor, delta: Tensor, rates: Tensor, b: Tensor, start: Tensor,
    decay: Tensor, h: Tensor, accumulate: Accumulate,
) -> None:  # fmt: skip
    """Decays and states of a chunk, written to `decay` and `h`."""
    torch.mul(delta[:, :, None], rates, out=decay).exp_()
    torch.mul(u[:, :, None], b[..., None], out=h)
    h[:, 0].addcmul_(decay[:, 0], start)
    accumulate(decay, h)
