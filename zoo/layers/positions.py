"""Where a token stands: sinusoidal and rotary positions (learned ones are an embedding).

Shapes: B batch, H heads, T tokens, E width of a head, D width.
"""

import torch
from torch import Tensor, nn

Rotation = tuple[Tensor, Tensor]  # (T, E) each: cosines; sines, of the first half negative


def sinusoids(length: int, width: int, base: float = 10_000.0) -> Tensor:
    """Sinusoidal positions (length, width): sines first, then cosines.

    Vaswani et al., 2017, arXiv:1706.03762, section 3.5, where they alternate.
    """
    angles = torch.arange(length)[:, None] * base ** (-torch.arange(0, width, 2) / width)
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]


class Sinusoidal(nn.Module):
    """Adds sinusoidal positions to embeddings; nothing to learn."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.register_buffer("table", sinusoids(length, width), persistent=False)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """(B, T, D) to the same; the first token stands at `start`."""
        return x + self.table[start : start + x.shape[1]].to(x.dtype)


class Rotary(nn.Module):
    """Angles by which queries and keys turn, so that their product knows only the distance.

    Su et al., 2021, https://arxiv.org/abs/2104.09864; halves rotated, as GPT-NeoX and Llama do.

    Args:
        length: Positions.
        size: E, even.
        base: Wavelength of the slowest turn, over 2 pi.
    """

    def __init__(self, length: int, size: int, base: float = 10_000.0) -> None:
        super().__init__()
        if size % 2:
            raise ValueError(f"rotary positions need an even head width, got {size}")
        angles = torch.arange(length)[:, None] * base ** (-torch.arange(0, size, 2) / size)
        cos, sin = angles.cos(), angles.sin()
        self.register_buffer("cos", torch.cat([cos, cos], dim=1), persistent=False)
        self.register_buffer("sin", torch.cat([-sin, sin], dim=1), persistent=False)

    def forward(self, start: int, tokens: int) -> Rotation:
        """For tokens at positions start to start + tokens - 1."""
        part = slice(start, start + tokens)
        return self.cos[part], self.sin[part]


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Turn each pair (x_i, x_{i + E/2}) of (B, H, T, E) by its angle."""
    cos, sin = (one.to(x.dtype) for one in rotation)
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, dims=-1), sin)
