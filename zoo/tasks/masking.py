"""Choice of the tokens that a masked language model predicts, and of their replacements.

Devlin et al., 2019, https://arxiv.org/abs/1810.04805, section 3.1 and appendix A.
The masked positions of a sequence are a function of its tokens alone: batch size, order,
micro-batches, ranks, device and a resume do not change them, and evaluation is reproducible.
Training still masks other tokens in each epoch, since its windows shift along the text.
Shapes: B sequences, T tokens, M candidate positions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.kernels import IGNORE_INDEX
from zoo.rng import scramble

SHARES = (0.8, 0.1, 0.1)  # of the tokens to predict: `[MASK]`, a random token, unchanged
STREAM_POSITION, STREAM_KIND, STREAM_TOKEN = range(3)  # of random numbers
LARGEST = 2**62 - 1


class MaskedBatch(NamedTuple):
    """A batch with some tokens masked.

    Attributes:
        input_ids: Input of the model, int64 (B, T).
        positions: In the flattened tokens, int64 (M,): those that may have to be predicted. M
            depends on B and T alone, so that counting them needs no synchronisation with a GPU.
        labels: The original tokens there, int64 (M,); IGNORE_INDEX where none is to be predicted.
        counts: How many of a sequence may have to be predicted, int64 (B,); M together, if there is
            no padding.
    """

    input_ids: Tensor
    positions: Tensor
    labels: Tensor
    counts: Tensor


def keys(tokens: Tensor) -> Tensor:
    """A number for each position, a function of the sequence, int64 (B, T)."""
    position = scramble(torch.arange(1, tokens.shape[1] + 1, device=tokens.device))  # (T,)
    sequence = scramble((scramble(tokens + 1) * (position | 1)).sum(1))  # (B,)
    return sequence[:, None] + position


def draw(keys: Tensor, stream: int) -> Tensor:
    """A random number from 0 to LARGEST for each key; streams are independent."""
    return scramble(scramble(keys) + stream) & LARGEST


def mask_tokens(
    tokens: Tensor,
    rate: float,
    mask_id: int,
    first_id: int,
    vocab_size: int,
    starts: Tensor | None = None,
    shares: Sequence[float] = SHARES,
    pad_id: int | None = None,
) -> MaskedBatch:
    """Mask a fraction of the tokens of each sequence.

    Args:
        tokens: Int64 (B, T).
        rate: Fraction of the T tokens to predict, rounded to whole tokens, at least one; of those
            that are no padding.
        mask_id: Id of `[MASK]`.
        first_id: Ids below it are special tokens, which are neither masked nor drawn at random.
        vocab_size: V, number of ids.
        starts: Whether each token begins a word, bool (B, T). If given, whole words are masked, as
            many as fit into the fraction.
        shares: Of these tokens, how many are replaced by `[MASK]`, how many by a random token, and
            how many stay as they are; 1 together.
        pad_id: Id of the padding, if there is some.
    """
    length = tokens.shape[1]
    count = min(max(1, round(rate * length)), length - 1)
    key = keys(tokens)  # (B, T)
    rank = draw(key, STREAM_POSITION).masked_fill(tokens < first_id, -1)
    if starts is not None:
        rank = rank.gather(1, first_of_word(starts))
    top = rank.topk(count + 1, dim=1)  # falling
    counts = _counts(tokens, rate, count, pad_id)  # (B,)
    # A word that does not fit as a whole has the rank of the first position beyond the fraction.
    chosen = (top.values > top.values.gather(1, counts[:, None])) & (top.values >= 0)
    chosen, columns = chosen[:, :-1], top.indices[:, :-1]  # (B, M / B)
    labels, key = tokens.gather(1, columns), key.gather(1, columns)
    kind = draw(key, STREAM_KIND)
    replaced = first_id + draw(key, STREAM_TOKEN) % (vocab_size - first_id)
    replaced = replaced.where(kind < int((shares[0] + shares[1]) * LARGEST), labels)
    replaced = replaced.masked_fill(kind < int(shares[0] * LARGEST), mask_id)
    start = length * torch.arange(len(tokens), device=tokens.device)[:, None]
    return MaskedBatch(
        tokens.scatter(1, columns, replaced.where(chosen, labels)),
        (start + columns).flatten(),
        labels.masked_fill(~chosen, IGNORE_INDEX).flatten(),
        counts,
    )


def _counts(tokens: Tensor, rate: float, most: int, pad_id: int | None) -> Tensor:
    """How many tokens of each sequence may be masked, int64 (B,): `most` where none is padding."""
    if pad_id is None:
        return torch.full_like(tokens[:, 0], most)
    size = (tokens != pad_id).sum(1)
    return (rate * size).round().long().clamp(1, most).where(size < tokens.shape[1], most)


def first_of_word(starts: Tensor) -> Tensor:
    """For each position, that of the first token of its word, int64 (B, T); of bool (B, T)."""
    position = torch.arange(starts.shape[1], device=starts.device).expand_as(starts)
    return position.where(starts, torch.zeros_like(position)).cummax(1).values
