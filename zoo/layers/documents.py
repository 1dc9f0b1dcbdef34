"""Several documents in one row: each attends to itself alone, and its positions begin at 0.

Packing without attention between documents: Krell et al., 2021, https://arxiv.org/abs/2107.02027.
Shapes: B batch, T tokens.
"""

import torch
from torch import Tensor


def document_positions(documents: Tensor) -> Tensor:
    """The place of each token in its document, int64 (B, T).

    Args:
        documents: Number of each token's document, int (B, T); its tokens follow each other.
    """
    places = torch.arange(documents.shape[1], device=documents.device).expand(documents.shape)
    begins = torch.ones_like(documents, dtype=torch.bool)
    begins[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return places - (places * begins).cummax(1).values


def document_mask(documents: Tensor) -> Tensor:
    """Which tokens are of the same document, bool (B, 1, T, T)."""
    return (documents[:, :, None] == documents[:, None, :])[:, None]


def places_and_mask(documents: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """Both of the above; None where rows are not packed."""
    if documents is None:
        return None, None
    return document_positions(documents), document_mask(documents)
