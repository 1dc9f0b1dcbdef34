"""Positions of tokens: learned or sinusoidal ones are added to embeddings, rotary ones turn queries
and keys inside attention.

Shapes: B batch, H heads, T tokens, E head width, D width.
"""

from typing import Literal

import torch
from torch import Tensor, nn

PositionName = Literal["learned", "sinusoidal", "rotary"]
Rotation = tuple[Tensor, Tensor]
"""Cosines; sines, the first half negated: (T, E) each, or (B, 1, T, E) of packed documents."""


def make_absolute(name: PositionName, length: int, width: int) -> nn.Module | None:
    """A table of positions that `add_positions` adds to embeddings; None for rotary positions.

    Args:
        name: `learned` (an nn.Embedding) or `sinusoidal`.
        length: The number of positions.
        width: D.
    """
    if name == "learned":
        return nn.Embedding(length, width)
    return Sinusoidal(length, width) if name == "sinusoidal" else None


def make_rotary(
    name: PositionName, length: int, head_width: int, base: float = 10_000.0
) -> "Rotary | None":
    """The rotations of rotary positions; None for positions of another kind."""
    return Rotary(length, head_width, base) if name == "rotary" else None


def add_positions(
    x: Tensor, positions: nn.Module | None, start: int = 0, places: Tensor | None = None
) -> Tensor:
    """Add absolute positions to embeddings (B, T, D), the first of which is at position `start`; or
    each at its own of `places`, int64 (B, T)."""
    if isinstance(positions, nn.Embedding):
        return x + positions.weight[slice(start, start + x.shape[1]) if places is None else places]
    return x if positions is None else positions(x, start, places)


def sinusoids(length: int, width: int) -> Tensor:
    """Sinusoidal positions (length, width): all sines, then all cosines.

    Vaswani et al., 2017, arXiv:1706.03762, section 3.5, where sines and cosines alternate.
    """
    steps = torch.arange(0, width, 2, dtype=torch.float32)  # whatever the weights are
    angles = torch.arange(length)[:, None] * 10_000.0 ** (-steps / width)
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]


class Sinusoidal(nn.Module):
    """Adds sinusoidal positions to embeddings; without parameters."""

    table: Tensor

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.register_buffer("table", sinusoids(length, width), persistent=False)

    def forward(self, x: Tensor, start: int = 0, places: Tensor | None = None) -> Tensor:
        """(B, T, D) to (B, T, D); the first token is at position `start`, or each at its place."""
        rows = slice(start, start + x.shape[1]) if places is None else places
        return x + self.table[rows].to(x.dtype)


class Rotary(nn.Module):
    """Rotary position embedding (RoPE): the product of a query and a key depends on their distance.

    Su et al., 2021, https://arxiv.org/abs/2104.09864; the two halves of a head are rotated against
    each other, as in GPT-NeoX and Llama, instead of neighbouring elements.

    Args:
        length: The number of positions.
        head_width: E, even.
        base: Wavelength of the slowest rotation, over 2 pi.
        rates: Radians from one position to the next, float32 (E / 2,); None for those of `base`.
    """

    cos: Tensor
    sin: Tensor

    def __init__(
        self,
        length: int,
        head_width: int,
        base: float = 10_000.0,
        rates: Tensor | None = None,
    ) -> None:
        super().__init__()
        if head_width % 2:
            raise ValueError(f"rotary positions need an even head width, got {head_width}")
        if rates is None:  # in float32, whatever the weights are
            rates = base ** (-torch.arange(0, head_width, 2, dtype=torch.float32) / head_width)
        angles = torch.arange(length)[:, None] * rates  # (length, E / 2)
        cos, sin = angles.cos(), angles.sin()
        self.register_buffer("cos", torch.cat([cos, cos], dim=1), persistent=False)
        self.register_buffer("sin", torch.cat([-sin, sin], dim=1), persistent=False)

    def forward(self, start: int, tokens: int, places: Tensor | None = None) -> Rotation:
        """Cosines and sines of positions `start` to `start + tokens - 1`, or of `places` (B, T)."""
        if places is not None:
            return self.cos[places][:, None], self.sin[places][:, None]
        rows = slice(start, start + tokens)
        return self.cos[rows], self.sin[rows]


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Rotate each pair (x_i, x_{i + E/2}) of (B, H, T, E) by the angle of its position."""
    cos, sin = (table.to(x.dtype) for table in rotation)
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, dims=-1), sin)
