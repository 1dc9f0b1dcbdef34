"""Products of experts by one call of torch's grouped product, which need not wait for the counts.

torch has it in bfloat16 for GPUs; on CPUs it gives the same numbers, no sooner than the reference.
Shapes: M rows, I inputs, O outputs, E layers.
"""

from typing import Any

import torch
from torch import Tensor

from zoo.kernels.grouped import grouped_linear

GROUPED: Any = getattr(torch, "_grouped_mm", None)
DTYPES = (torch.float32, torch.bfloat16) if GROUPED is not None else ()
ALIGNED = 8  # numbers: rows begin at multiples of 16 bytes


def _dtype(x: Tensor) -> torch.dtype:
    """That of the product."""
    device = x.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return x.dtype


def _supports(x: Tensor, weight: Tensor, counts: Tensor) -> bool:
    if weight.shape[1] % ALIGNED or weight.shape[2] % ALIGNED or not len(x):
        return False
    if x.device.type == "cpu":
        return x.dtype == weight.dtype == _dtype(x) and x.dtype in DTYPES
    return x.device.type == "cuda" and _dtype(x) == torch.bfloat16 and torch.bfloat16 in DTYPES


def _on_gpu(x: Tensor, weight: Tensor, counts: Tensor) -> bool:
    return x.device.type == "cuda"


@grouped_linear.implementation(DTYPES, supports=_supports, pays=_on_gpu)
def linear_by_grouped_product(x: Tensor, weight: Tensor, counts: Tensor) -> Tensor:
    """All layers at once."""
    dtype, ends = _dtype(x), counts.cumsum(0).int()
    weight = weight.to(dtype).contiguous()
    y = GROUPED(x.to(dtype).contiguous(), weight.mT, offs=ends)
    return _ContiguousGradient.apply(y)


class _ContiguousGradient(torch.autograd.Function):
    """The same, with a gradient in order in memory, as the grouped product demands it."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.contiguous()
