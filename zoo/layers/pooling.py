"""Pooling of a sequence into one vector, without its padding.

Shapes: B batch, T tokens, D width.
"""

import torch
from torch import Tensor


def last_token(x: Tensor, tokens: Tensor, pad_id: int | None) -> Tensor:
    """The vector of the last token of each sequence that is not padding: (B, T, D) to (B, D)."""
    if pad_id is None:
        return x[:, -1]
    last = ((tokens != pad_id) * torch.arange(x.shape[1], device=x.device)).argmax(1)
    rows = torch.arange(x.shape[0], device=x.device)  # len(x) would be a constant in a graph
    return x[rows, last]


def mean_token(x: Tensor, tokens: Tensor, pad_id: int | None) -> Tensor:
    """The mean over the tokens of each sequence that are not padding: (B, T, D) to (B, D)."""
    if pad_id is None:
        return x.mean(1)
    return mean_where(x, tokens != pad_id)


def mean_where(x: Tensor, chosen: Tensor) -> Tensor:
    """The mean over some tokens of each sequence, bool (B, T): (B, T, D) to (B, D); 0 of none."""
    mask = chosen[..., None]
    return (x * mask).sum(1) / mask.sum(1).clamp(min=1)
