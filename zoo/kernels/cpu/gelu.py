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
CHUNK_NUMEL = 2**19  # at a time: what is computed of them stays in the cache
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
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.contiguous()
        y, slope = torch.empty_like(x), torch.empty_like(x)
        one, c = torch.ones(()), torch.tensor(C)
        workspace = torch.empty(3, min(CHUNK_NUMEL, x.numel()))  # float32, whatever x is
        narrow = x.dtype != workspace.dtype
        chunks = zip(*(tensor.view(-1).split(CHUNK_NUMEL) for tensor in (x, y, slope)))
        for x_i, y_i, slope_i in chunks:
            wide, square, s = workspace[:, : len(x_i)]
            wide = wide.copy_(x_i) if narrow else x_i
            torch.mul(wide, wide, out=square)
            torch.add(c, square, alpha=C * A, out=s).mul_(wide).sigmoid_()  # s(z)
            wide_y = torch.mul(wide, s, out=wide if narrow else y_i)
            torch.add(c, square, alpha=3 * C * A, out=square).mul_(wide_y)  # x s z'
            torch.lerp(s, one, square, out=s if narrow else slope_i)  # s + x s z' (1 - s)
            if narrow:
                y_i.copy_(wide_y)
                slope_i.copy_(s)
        ctx.save_for_backward(slope)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> Tensor:
        (slope,) = ctx.saved_tensors
        return grad_output * slope
