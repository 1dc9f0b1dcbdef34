"""Dropout whose mask costs an eighth of the random numbers on a CPU."""

import torch
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """Silences elements while training (Srivastava et al., 2014).

    On a CPU, drawing the mask is what dropout costs: here one 64-bit number gives eight mask bytes,
    so the probability is rounded to a multiple of 1/256 (kept values are scaled to match).
    """

    def forward(self, x: Tensor) -> Tensor:
        """(...) to (...)."""
        level = round(self.p * 256)
        if not self.training or level == 0:
            return x
        if x.device.type != "cpu" or level == 256:
            return super().forward(x)
        count = x.numel()
        draws = torch.empty((count + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        noise = draws.view(torch.uint8)[:count].view(x.shape)
        return x * (noise >= level).to(x.dtype).mul_(256 / (256 - level))
