"""One vector for a whole text. Shapes: B batch, T tokens, D width."""

import torch
from torch import Tensor


def last_token(x: Tensor, tokens: Tensor, pad_id: int | None) -> Tensor:
    """The vector of each text's last token that is no padding: (B, T, D) to (B, D)."""
    if pad_id is None:
        return x[:, -1]
    last = ((tokens != pad_id) * torch.arange(x.shape[1], device=x.device)).argmax(1)
    return x[torch.arange(len(x), device=x.device), last]


def mean_token(x: Tensor, tokens: Tensor, pad_id: int | None) -> Tensor:
    """The mean over each text's tokens that are no padding: (B, T, D) to (B, D)."""
    if pad_id is None:
        return x.mean(1)
    kept = (tokens != pad_id)[..., None]
    return (x * kept).sum(1) / kept.sum(1).clamp(min=1)
