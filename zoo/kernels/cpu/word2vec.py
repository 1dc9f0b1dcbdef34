"""word2vec's products and loss with gradients of their own.

The gradient of `vectors @ contexts.mT` for the contexts comes transposed and would be copied row by
row: a product in the other order gives it as it is read. One sigmoid serves the loss and its
gradient.
"""

from typing import Any

import torch
from torch import Tensor

from zoo.kernels import word2vec as kernels
from zoo.kernels.word2vec import band

DTYPES = (torch.float32, torch.bfloat16)


def _supports_scores(vectors: Tensor, contexts: Tensor) -> bool:
    return vectors.device.type == "cpu" and vectors.dtype in DTYPES


def _supports_loss(scores: Tensor, positives: Tensor, negatives: Tensor) -> bool:
    weights_learn = positives.requires_grad or negatives.requires_grad
    return scores.device.type == "cpu" and scores.dtype in DTYPES and not weights_learn


@kernels.batched_scores.implementation(DTYPES, supports=_supports_scores)
def batched_scores_untransposed(vectors: Tensor, contexts: Tensor) -> Tensor:
    """In autocast's dtype, if that is on."""
    return _Scores.apply(vectors, contexts)


class _Scores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vectors: Tensor, contexts: Tensor) -> Tensor:
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            vectors, contexts = vectors.to(dtype), contexts.to(dtype)
        ctx.save_for_backward(vectors, contexts)
        return torch.bmm(vectors, contexts.mT)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        vectors, contexts = ctx.saved_tensors
        for_vectors, for_contexts = ctx.needs_input_grad
        gradient = gradient.to(vectors.dtype)
        return (
            torch.bmm(gradient, contexts) if for_vectors else None,
            torch.bmm(gradient.mT, vectors) if for_contexts else None,
        )


@kernels.banded_logistic_loss.implementation(DTYPES, supports=_supports_loss)
def banded_logistic_loss_one_sigmoid(
    scores: Tensor, positives: Tensor, negatives: Tensor
) -> Tensor:
    """Differentiable once, with respect to the scores."""
    return _LogisticLoss.apply(scores, positives, negatives)


class _LogisticLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        words, width = positives.shape[1:]
        size = scores.shape[2] - (words + width - 1)  # S
        weights = torch.cat([positives, negatives.expand(-1, -1, size)], 2)  # (G, C, R + S)
        right = torch.cat([band(scores, width), -scores[..., -size:]], 2)
        right = right.to(torch.promote_types(scores.dtype, torch.float32))
        right.sigmoid_()  # probability of the right answer
        ctx.save_for_backward(right, weights)
        ctx.like = scores.shape, scores.dtype, width
        loss = -right.log().mul_(weights).sum()
        if not loss.isfinite():  # a score beyond 100, whose sigmoid is 0: not by way of it
            loss = kernels.banded_logistic_loss.reference(scores, positives, negatives)
        return loss

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """(p - 1) w for a positive pair, (1 - p) w for a negative one, p as above."""
        right, weights = ctx.saved_tensors
        shape, dtype, width = ctx.like
        slopes = (right - 1).mul_(weights).mul_(gradient)  # (G, C, R + S)
        result = right.new_zeros(shape, dtype=dtype)
        band(result, width).copy_(slopes[..., :width])
        result[..., shape[1] + width - 1 :] = -slopes[..., width:]
        return result, None, None
