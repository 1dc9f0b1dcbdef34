"""Which tokens a masked language model has to guess, and what it sees in their place.

Devlin et al., 2019, https://arxiv.org/abs/1810.04805, section 3.1 and appendix A.
What is hidden in a text is a function of that text alone: neither batch size nor order,
micro-batches, ranks, device or a resume change it, and evaluation repeats. Training still hides
other tokens each epoch, since its windows shift along the text from one epoch to the next.
Shapes: B texts, T tokens, M places to guess.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from zoo.kernels import IGNORE_INDEX
from zoo.rng import scramble

MASK_RATE, RANDOM_RATE = 0.8, 0.1  # of the hidden tokens; the others are shown as they are
STREAM_POSITION, STREAM_KIND, STREAM_TOKEN = range(3)  # of random numbers
LARGEST = 2**62 - 1


class MaskedBatch(NamedTuple):
    """A batch with tokens hidden.

    Attributes:
        input_ids: What the model sees, int64 (B, T).
        positions: In the flattened tokens, int64 (M,): where a token may have to be predicted.
            Their number depends on B and T alone, so no GPU has to be waited for to count them.
        labels: The tokens there, int64 (M,); IGNORE_INDEX where none is to be predicted.
    """

    input_ids: Tensor
    positions: Tensor
    labels: Tensor


def keys(tokens: Tensor) -> Tensor:
    """A number for each place, decided by the text, int64 (B, T)."""
    place = scramble(torch.arange(1, tokens.shape[1] + 1, device=tokens.device))  # (T,)
    text = scramble((scramble(tokens + 1) * (place | 1)).sum(1))  # (B,)
    return text[:, None] + place


def draw(keys: Tensor, stream: int) -> Tensor:
    """A random number from 0 to LARGEST for each key; streams are independent."""
    return scramble(scramble(keys) + stream) & LARGEST


def mask_tokens(
    tokens: Tensor,
    share: float,
    mask_id: int,
    first_id: int,
    vocab_size: int,
    word_starts: Tensor | None = None,
) -> MaskedBatch:
    """Hide a share of each text's tokens.

    In 80 % of the places `[MASK]` is shown, in 10 % a random token, in 10 % the token itself.

    Args:
        tokens: Int64 (B, T).
        share: Part of the T tokens to guess, rounded to whole tokens, at least one.
        mask_id: Id of `[MASK]`.
        first_id: Ids below it are special tokens, which are neither hidden nor shown at random.
        vocab_size: Number of ids.
        word_starts: For each id, whether it begins a word, bool (V,): given, words are hidden
            whole, as many as fit into the share.
    """
    length = tokens.shape[1]
    count = min(max(1, round(share * length)), length - 1)
    key = keys(tokens)  # (B, T)
    rank = draw(key, STREAM_POSITION).masked_fill(tokens < first_id, -1)
    if word_starts is not None:
        rank = rank.gather(1, starts_of_words(tokens, word_starts))
    top = rank.topk(count + 1, dim=1)  # falling
    # A word that does not fit whole has the rank of the one place too many.
    guessed = (top.values > top.values[:, -1:]) & (top.values >= 0)
    guessed, where = guessed[:, :-1], top.indices[:, :-1]  # (B, M / B)
    labels, key = tokens.gather(1, where), key.gather(1, where)
    kind = draw(key, STREAM_KIND)
    shown = first_id + draw(key, STREAM_TOKEN) % (vocab_size - first_id)
    shown = shown.where(kind < int((MASK_RATE + RANDOM_RATE) * LARGEST), labels)
    shown = shown.masked_fill(kind < int(MASK_RATE * LARGEST), mask_id)
    start = length * torch.arange(len(tokens), device=tokens.device)[:, None]
    return MaskedBatch(
        tokens.scatter(1, where, shown.where(guessed, labels)),
        (start + where).flatten(),
        labels.masked_fill(~guessed, IGNORE_INDEX).flatten(),
    )


def starts_of_words(tokens: Tensor, word_starts: Tensor) -> Tensor:
    """For each place, that of the first token of its word, int64 (B, T)."""
    place = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
    return place.where(word_starts[tokens], torch.zeros_like(place)).cummax(1).values
