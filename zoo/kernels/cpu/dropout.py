"""Dropout whose mask costs an eighth of the random numbers.

On a CPU drawing the mask is what dropout costs: here one 64-bit number gives eight bytes of it, so
the probability is rounded to a multiple of 1/256 (kept values are scaled to match).
"""

import torch
from torch import Tensor

from zoo.kernels.functional import dropout

DTYPES = (torch.float32, torch.bfloat16, torch.float64)
LEVELS = 256  # of a byte


def _supports(x: Tensor, p: float) -> bool:
    return x.device.type == "cpu" and x.dtype in DTYPES and round(p * LEVELS) < LEVELS


@dropout.implementation(DTYPES, supports=_supports)
def dropout_by_bytes(x: Tensor, p: float) -> Tensor:
    """x itself for p below 1/512."""
    level = round(p * LEVELS)
    if level == 0:
        return x
    count = x.numel()
    draws = torch.empty((count + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    noise = draws.view(torch.uint8)[:count].view(x.shape)
    return x * (noise >= level).to(x.dtype).mul_(LEVELS / (LEVELS - level))
