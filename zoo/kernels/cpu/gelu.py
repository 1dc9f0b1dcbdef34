"""GPT-2's GELU and its derivative, computed together while a CPU has the numbers in its cache.

x s(z) with z = 2 c (x + a x^3), c = sqrt(2 / pi), a = 0.044715 and s the logistic function: the
tanh form of Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415, as 1 + tanh(u) = 2 s(2u).
torch takes the tanh, which costs six times as much, once forward and once more for the gradient.
"""

import math
from typing import Any

import torch
from torch import Tensor

from zoo.kernels.functional import gelu_tanh as kernel

C, A = 2 * math.sqrt(2 / math.pi), 0.044715
PART = 2**19  # numbers at a time: what is computed of them stays in the cache
DTYPES = (torch.float32, torch.bfloat16)
MIN_NUMEL = 2**20  # numbers; of fewer, calls cost as much as they save


def _supports(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype in DTYPES


def _trains_large(x: Tensor) -> bool:
    return x.requires_grad and x.numel() >= MIN_NUMEL


@kernel.implementation(DTYPES, supports=_supports, pays=_trains_large)
def gelu_tanh_saving_derivative(x: Tensor) -> Tensor:
    """Differentiable once."""
    return _Gelu.apply(x)


class _Gelu(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        x = x.contiguous()
        y, slope = torch.empty_like(x), torch.empty_like(x)
        one, c = torch.ones(()), torch.tensor(C)
        room = torch.empty(3, min(PART, x.numel()))  # float32, whatever x is
        narrow = x.dtype != room.dtype
        for read, given, rise in zip(*(whole.view(-1).split(PART) for whole in (x, y, slope))):
            wide, square, share = room[:, : len(read)]
            wide = wide.copy_(read) if narrow else read
            torch.mul(wide, wide, out=square)
            torch.add(c, square, alpha=C * A, out=share).mul_(wide).sigmoid_()  # s(z)
            bent = torch.mul(wide, share, out=wide if narrow else given)
            torch.add(c, square, alpha=3 * C * A, out=square).mul_(bent)  # x s z'
            torch.lerp(share, one, square, out=share if narrow else rise)  # s + x s z' (1 - s)
            if narrow:
                given.copy_(bent)
                rise.copy_(share)
        context.save_for_backward(slope)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, outer: Tensor) -> Tensor:
        (slope,) = context.saved_tensors
        return outer * slope
