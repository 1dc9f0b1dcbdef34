"""Padding: masks where reading the tokens is cheap, and lengths rounded to recurring sizes.

Libraries of CPU kernels build one for each size and keep it, with memory of its own: with batches
of ever new sizes a translation run grew to 2.5 GB. So lengths and counts are rounded up.
Shapes: B sequences, T tokens, M predictions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.kernels.functional import IGNORE_INDEX

COLUMNS, POSITIONS = 8, 128  # lengths, counts are multiples of these


def padding_mask(tokens: Tensor, pad_id: int) -> Tensor | None:
    """True at tokens that are no padding, bool (B, 1, 1, T); None if there is none.

    On a GPU it is always a mask: the program would have to wait to know.
    """
    mask = tokens != pad_id
    can_look = tokens.device.type == "cpu" and not torch.compiler.is_exporting()
    return None if can_look and mask.all() else mask[:, None, None]


def trim_padding(tokens: Tensor, pad_id: int, max_length: int) -> Tensor:
    """Sequences (B, T), padded on the right, with as many columns as the longest needs: 8 k + 1,
    since a model reads all tokens but the last, or `max_length`.

    On a GPU the longest is taken to fill all columns: the program would have to wait to know.
    """
    is_near = tokens.device.type == "cpu"
    longest = int((tokens != pad_id).sum(1).max()) if is_near else tokens.shape[1]
    width = min(longest + (1 - longest) % COLUMNS, max_length)
    return F.pad(tokens, (0, width - tokens.shape[1]), value=pad_id)


def select_labels(labels: Tensor, pad_id: int) -> tuple[Tensor, Tensor, Tensor]:
    """Where labels, int64 (B, T), are no padding.

    Returns:
        Positions in the flattened labels, int64 (M,), the labels there, and how many there are,
        a scalar. M is rounded up, and the last labels are IGNORE_INDEX.
    """
    labels = labels.flatten()
    if labels.device.type != "cpu":
        return keep_labels(labels, pad_id)
    positions = (labels != pad_id).nonzero()[:, 0]
    count = len(positions)
    positions = F.pad(positions, (0, -count % POSITIONS))
    surplus = torch.arange(count, len(positions), device=labels.device)
    labels = labels[positions].index_fill_(0, surplus, IGNORE_INDEX)
    return positions, labels, torch.tensor(count)


def keep_labels(labels: Tensor, pad_id: int) -> tuple[Tensor, Tensor, Tensor]:
    """As `select_labels`, with all positions of labels int64 (M,), and IGNORE_INDEX at padding.

    For a GPU: the program would have to wait to know how many labels there are.
    """
    is_padding = labels == pad_id
    positions = torch.arange(len(labels), device=labels.device)
    return positions, labels.masked_fill(is_padding, IGNORE_INDEX), (~is_padding).sum()
