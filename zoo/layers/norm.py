"""Normalisation over the width of each token."""

from typing import Literal

from torch import nn

NormName = Literal["layer", "rms"]


def make_norm(name: NormName, width: int, bias: bool = True, eps: float = 1e-5) -> nn.Module:
    """LayerNorm (Ba et al., 2016, arXiv:1607.06450) or RMSNorm (Zhang et al., 2019, 1910.07467).

    Args:
        name: `layer` or `rms`.
        width: D.
        bias: Whether a LayerNorm has a bias; an RMSNorm never has one.
        eps: Added to the variance, or to the mean square.
    """
    if name == "rms":
        return nn.RMSNorm(width, eps=eps)
    return nn.LayerNorm(width, eps=eps, bias=bias)
