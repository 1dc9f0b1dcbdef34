"""The feed-forward layer of a Transformer block, applied to each token separately.

Vaswani et al., 2017, https://arxiv.org/abs/1706.03762, section 3.3.
Shapes: B batch, T tokens, D width.
"""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from zoo.kernels import gelu_tanh
from zoo.layers.linear import Linear

ElementwiseName = Literal["relu", "gelu", "gelu_tanh", "relu2"]
FeedForwardName = Literal[ElementwiseName, "swiglu"]


class FeedForward(nn.Module):
    """Expands to a wider hidden layer, applies a non-linearity, projects back.

    Args:
        width: D.
        activation: `gelu` (Hendrycks and Gimpel, 2016, arXiv:1606.08415; `gelu_tanh` is its
            approximation, as in GPT-2), `relu`, `relu2` (squared ReLU: So et al., 2021,
            arXiv:2109.08668) or `swiglu` (Shazeer, 2020, arXiv:2002.05202: one half of the hidden
            layer gates the other).
        inner: Width of the hidden layer; None for 4 D, with swiglu for 8 D / 3 rounded up to a
            multiple of 8, which makes about as many parameters.
        bias: Whether the linear layers have a bias.
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
        """Apply the non-linearity: (..., inner), with swiglu (..., 2 inner), to (..., inner)."""
        if self.activation == "swiglu":
            value, gate = h.chunk(2, dim=-1)
            return value * F.silu(gate)
        return elementwise(self.activation, h)


def elementwise(name: ElementwiseName, h: Tensor) -> Tensor:
    """Apply a non-linearity that has no gate."""
    if name == "relu2":
        return F.relu(h).square()
    if name == "relu":
        return F.relu(h)
    if name == "gelu_tanh":
        return gelu_tanh(h)
    return F.gelu(h)
