"""Cross-entropy over large vocabularies, without float32 copies of all logits.

Shapes: N predictions, V vocabulary.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

PART = 2**19  # logits at a time: in float32 they stay in a CPU's cache
ROWS = 16  # predictions at a time at the least: fewer cost more calls than they save
IGNORED = -100  # a target that is none, as torch's cross_entropy has it
LARGE = 2**18  # logits; fewer are not worth it


def cross_entropy_sum(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Summed cross-entropy, as F.cross_entropy(logits.float(), target, reduction="sum").

    On a CPU, loss and gradient are computed together, a few rows at a time: a third of the time.
    The gradient takes the place of the logits that a model has computed, which are the largest
    tensor of a step by far: while training, read nothing from them afterwards.

    Args:
        logits: (N, V), any floating type; the sum is float32 (float64 for float64).
        target: Int64 (N,); rows of IGNORED ones count for nothing.
        label_smoothing: Share of the target spread over the whole vocabulary.
    """
    if logits.device.type != "cpu" or logits.dtype == torch.float64 or logits.numel() < LARGE:
        wide = logits if logits.dtype == torch.float64 else logits.float()
        return F.cross_entropy(wide, target, reduction="sum", label_smoothing=label_smoothing)
    return _CrossEntropySum.apply(logits, target, label_smoothing)


class _CrossEntropySum(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
        gradient = None
        if context.needs_input_grad[0]:
            gradient = torch.empty_like(logits) if logits.is_leaf else logits.detach()
        total = torch.zeros((), dtype=torch.float64)
        spread = smoothing / logits.shape[1]
        in_place = gradient is not None and logits.dtype == torch.float32
        rows = max(ROWS, PART // logits.shape[1])
        for start in range(0, len(logits), rows):
            given = logits[start : start + rows]
            if in_place:  # one pass less over memory, which is what this waits for
                part = gradient[start : start + rows]
                torch.sub(given, given.amax(1, keepdim=True), out=part)
            else:
                part = given.to(torch.float32, copy=True)
                part -= part.amax(1, keepdim=True)
            hit = target[start : start + rows, None]
            kept = hit >= 0
            hit = hit.clamp(min=0)
            right = part.gather(1, hit)
            mean = part.sum(1, keepdim=True) * spread if smoothing else 0.0
            part.exp_()
            scale = part.sum(1, keepdim=True)
            total += ((scale.log() - (1 - smoothing) * right - mean) * kept).sum()
            if gradient is not None:  # softmax - smoothed one-hot
                part *= kept / scale
                part.scatter_add_(1, hit, kept * torch.full_like(right, smoothing - 1))
                if smoothing:
                    part -= spread * kept
                if not in_place:
                    gradient[start : start + rows] = part
        if gradient is not None:
            context.save_for_backward(gradient)
        return total.to(torch.float32)

    @staticmethod
    def backward(context: Any, outer: Tensor) -> tuple[Tensor | None, None, None]:
        (gradient,) = context.saved_tensors
        return gradient.mul_(outer.to(gradient.dtype)), None, None  # once: torch refuses twice
