"""Cross-entropy over large vocabularies, without float32 copies of all logits.

Shapes: N predictions, V vocabulary.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from zoo.kernels import functional as kernels
from zoo.kernels.hooks import has_hooks

CHUNK_NUMEL = 2**19  # logits at a time: in float32 they stay in a CPU's cache
CHUNK_ROWS = 16  # predictions at a time at the least: fewer cost more calls than they save
DTYPES = (torch.float32, torch.bfloat16)
MIN_NUMEL = 2**18  # logits; fewer are not worth it
MIN_HEAD_NUMEL = 2**23  # logits; fewer are kept as they are
HEAD_CHUNK_NUMEL = 7 * 2**20  # logits of a head at a time: malloc keeps pieces below 32 MiB
HEAD_CHUNK_ROWS = 512  # predictions of a head at a time at the least: its weights are read for each


def _supports(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> bool:
    return logits.device.type == "cpu" and logits.dtype in DTYPES


def _large(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> bool:
    return logits.numel() >= MIN_NUMEL


@kernels.cross_entropy.implementation(DTYPES, supports=_supports, pays=_large)
def cross_entropy_by_rows(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Loss and gradient together, a few rows at a time: a third of the time.

    The gradient takes the place of the logits that a model has computed, which are the largest
    tensor of a step by far: while training, read nothing from them afterwards.
    """
    return _CrossEntropySum.apply(logits, target, label_smoothing)


class _CrossEntropySum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
        gradient = None
        if ctx.needs_input_grad[0]:
            gradient = torch.empty_like(logits) if logits.is_leaf else logits.detach()
        total = torch.zeros((), dtype=torch.float64)
        in_place = gradient is not None and logits.dtype == torch.float32
        for rows in _chunks(logits):
            chunk = logits[rows]
            if in_place and gradient is not None:  # one pass less over memory: the bottleneck
                wide = torch.sub(chunk, chunk.amax(1, keepdim=True), out=gradient[rows])
            else:
                wide = chunk.to(torch.float32, copy=True)
                wide -= wide.amax(1, keepdim=True)
            total += _loss_of_chunk(wide, target[rows, None], smoothing, gradient is not None)
            if gradient is not None and not in_place:
                gradient[rows] = wide
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return total.to(torch.float32)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, None, None]:
        (gradient,) = ctx.saved_tensors
        scale = grad_output.to(gradient.dtype)
        return gradient.mul_(scale), None, None  # in place: torch refuses to go back twice


def _chunks(logits: Tensor) -> Iterator[slice]:
    rows = max(CHUNK_ROWS, CHUNK_NUMEL // logits.shape[1])
    return (slice(start, start + rows) for start in range(0, len(logits), rows))


def _loss_of_chunk(logits: Tensor, target: Tensor, smoothing: float, gradient: bool) -> Tensor:
    """Summed cross-entropy of float32 logits (n, V), the largest of each row 0, for (n, 1) targets.

    With `gradient` they become it: softmax - smoothed one-hot.
    """
    counted, target = target >= 0, target.clamp(min=0)
    spread = smoothing / logits.shape[1]
    right = logits.gather(1, target)
    mean = logits.sum(1, keepdim=True) * spread if smoothing else 0.0
    logits.exp_()
    scale = logits.sum(1, keepdim=True)
    if gradient:
        logits *= counted / scale
        logits.scatter_add_(1, target, counted * torch.full_like(right, smoothing - 1))
        if smoothing:
            logits -= spread * counted
    return ((scale.log() - (1 - smoothing) * right - mean) * counted).sum()


def _supports_head(x: Tensor, head: nn.Module, target: Tensor) -> bool:
    return (
        type(head) is nn.Linear
        and not has_hooks(head)
        and x.dtype == head.weight.dtype == torch.float32
        and x.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
    )


def _trains_many(x: Tensor, head: nn.Module, target: Tensor) -> bool:
    width = getattr(head, "out_features", 0)
    return len(x) * width >= MIN_HEAD_NUMEL and x.requires_grad and torch.is_grad_enabled()


@kernels.linear_cross_entropy.implementation(
    (torch.float32,), supports=_supports_head, pays=_trains_many
)
def linear_cross_entropy_by_rows(x: Tensor, head: nn.Linear, target: Tensor) -> Tensor:
    """Never all logits at a time: the largest tensor of a step, for GPT-2's vocabulary."""
    return _HeadCrossEntropySum.apply(x, head.weight, head.bias, target)


class _HeadCrossEntropySum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor) -> Any:
        rows = min(len(x), max(HEAD_CHUNK_ROWS, HEAD_CHUNK_NUMEL // len(weight)))
        workspace = x.new_empty(rows, len(weight))
        inputs = zip((x, weight, bias), ctx.needs_input_grad)
        dx, dw, db = (torch.zeros_like(t) if t is not None and w else None for t, w in inputs)
        total = torch.zeros((), dtype=torch.float64)
        for start in range(0, len(x), rows):
            x_i, target_i = x[start : start + rows], target[start : start + rows]
            logits = torch.mm(x_i, weight.mT, out=workspace[: len(x_i)])
            if bias is not None:
                logits += bias
            for chunk, hit in ((logits[r], target_i[r, None]) for r in _chunks(logits)):
                chunk -= chunk.amax(1, keepdim=True)
                total += _loss_of_chunk(chunk, hit, 0.0, True)
            if dx is not None:
                torch.mm(logits, weight, out=dx[start : start + rows])
            if dw is not None:
                dw.addmm_(logits.mT, x_i)
            if db is not None:
                db += logits.sum(0)
        ctx.save_for_backward(dx, dw, db)
        return total.to(torch.float32)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        return *(g if g is None else g.mul_(grad_output) for g in ctx.saved_tensors), None  # once
