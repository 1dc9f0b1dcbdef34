"""The time of a noised image and its class, as one vector.

Ho et al., 2020, https://arxiv.org/abs/2006.11239, appendix B, for the time; Dhariwal and Nichol,
2021, arXiv:2105.05233, for the class.
Shapes: B batch, K classes, D width, E width of the embedding.
"""

import torch
from torch import Tensor, nn

RESOLUTION = 1000.0  # the time as the number of a step, of a thousand
LONGEST = 10_000.0  # wavelength of the slowest wave, over 2 pi


class TimeAndClass(nn.Module):
    """A network of one hidden layer on waves of the time, and a vector for each class.

    Args:
        num_classes: K; 0 where there are none.
        width: D, of the waves, even.
        embedding: E.
    """

    def __init__(self, num_classes: int, width: int, embedding: int) -> None:
        super().__init__()
        self.width = width
        self.time = nn.Sequential(
            nn.Linear(width, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        self.classes = nn.Embedding(num_classes + 1, embedding)  # the last: no class is given
        nn.init.normal_(self.classes.weight, std=0.02)

    def forward(self, time: Tensor, classes: Tensor) -> Tensor:
        """Times (B,) from 0 to 1 and classes int64 (B,), K for none, to (B, E)."""
        return self.time(waves(RESOLUTION * time, self.width)) + self.classes(classes)


def waves(position: Tensor, width: int) -> Tensor:
    """Sines, then cosines, of a position (B,) at `width` / 2 frequencies: (B, width)."""
    steps = torch.arange(0, width, 2, device=position.device, dtype=position.dtype) / width
    angles = position[:, None] * LONGEST**-steps
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]
