"""The feed-forward half of a Transformer block: each token by itself through a wider layer."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from zoo.kernels import gelu_tanh
from zoo.layers.linear import Linear

FeedForwardName = Literal["relu", "gelu", "gelu_tanh", "relu2", "swiglu"]


class FeedForward(nn.Module):
    """Expand, non-linearity, project.

    Args:
        width: D.
        activation: `gelu` (Hendrycks and Gimpel, 2016, arXiv:1606.08415; `gelu_tanh` is its
            approximation, as in GPT-2), `relu`, `relu2` (squared ReLU: So et al., 2021,
            arXiv:2109.08668) or `swiglu` (Shazeer, 2020, arXiv:2002.05202: one half gates the
            other; two thirds as wide, so that the parameters stay as many).
        inner: Neurons; None for 4 D (8 D / 3 rounded up to a multiple of 8 with swiglu).
        bias: Whether the layers have one.
    """

    def __init__(
        self,
        width: int,
        activation: FeedForwardName = "gelu",
        inner: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.activation = activation
        gated = activation == "swiglu"
        if inner is None:
            inner = -(-8 * width // 24) * 8 if gated else 4 * width
        self.up = Linear(width, 2 * inner if gated else inner, bias=bias)
        self.down = Linear(inner, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        return self.down(self.activate(self.up(x)))

    def activate(self, h: Tensor) -> Tensor:
        """The non-linearity: (..., inner), or with swiglu twice as wide, to (..., inner)."""
        if self.activation == "swiglu":
            value, gate = h.chunk(2, dim=-1)
            return value * F.silu(gate)
        if self.activation == "relu2":
            return F.relu(h).square()
        if self.activation == "relu":
            return F.relu(h)
        if self.activation == "gelu_tanh":
            return gelu_tanh(h)
        return F.gelu(h)
