"""Batch normalisation over the samples of all ranks, where torch's own needs a GPU.

Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167. With it, ranks compute what one process
with the whole batch does, but for rounding, and all of them have the same running statistics.
Shapes: N samples of this rank, C channels.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class RankBatchNorm(_BatchNorm):
    """BatchNorm1d, 2d or 3d whose mean and variance are those of all ranks' samples."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, ...) to the same. In training every rank must call it."""
        if not self.training:
            return super().forward(input)
        over = [d for d in range(input.ndim) if d != 1]
        shape = [1, -1] + [1] * (input.ndim - 2)
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        own = x.new_full((1,), x.numel() / x.shape[1])
        total = _Sum.apply(torch.cat([x.sum(over), own]))
        count = total[-1].detach()
        centred = x - (total[:-1] / count).view(shape)
        variance = _Sum.apply(centred.square().sum(over)) / count  # (C,)
        self._update(total[:-1].detach() / count, variance.detach(), count)
        x = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            x = x * self.weight.view(shape) + self.bias.view(shape)
        return x.to(input.dtype)

    @torch.no_grad()
    def _update(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """The running statistics, as torch keeps them: of the unbiased variance."""
        if not self.track_running_stats:
            return
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        momentum = self.momentum
        if momentum is None:
            momentum = 1 / int(self.num_batches_tracked)
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * count / (count - 1).clamp(min=1), momentum)


class _Sum(torch.autograd.Function):
    """The sum over ranks; so is its gradient, as every rank's loss depends on it."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


def share_batch_norms(model: nn.Module) -> None:
    """Let the batch norms of a model see all ranks: their class changes, not their tensors."""
    for module in model.modules():
        if type(module) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
            module.__class__ = RankBatchNorm
