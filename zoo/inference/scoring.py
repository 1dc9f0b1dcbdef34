"""How probable a causal language model finds given continuations.

Shapes: B sequences, T tokens, V vocabulary, L tokens of a continuation.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

LOGITS = 2**26  # of a batch at most: 256 MiB in float32

Ids = Sequence[int]


class Score(NamedTuple):
    """Of one continuation.

    Attributes:
        log_p: Log-probability of each of its tokens after those before it, in nats, (L,).
        greedy: Whether each was the likeliest: greedy decoding would write the continuation.
    """

    log_p: Tensor
    greedy: bool


@torch.no_grad()
def score(model: nn.Module, pairs: Sequence[tuple[Ids, Ids]]) -> list[Score]:
    """Score each continuation after its beginning; those of similar length in one batch.

    Args:
        model: A causal language model in evaluation mode.
        pairs: Ids of beginnings, at least one each, and of their continuations; together at most
            one more than the model's context.
    """
    device = next(model.parameters()).device
    order = sorted(range(len(pairs)), key=lambda k: -len(pairs[k][0]) - len(pairs[k][1]))
    scores: dict[int, Score] = {}
    start, size = 0, 1  # the longest alone: its logits say how large V is
    while start < len(order):
        rows = order[start : start + size]
        inputs = [[*pairs[k][0], *pairs[k][1]][:-1] for k in rows]
        longest = len(inputs[0])
        padded = [ids + [0] * (longest - len(ids)) for ids in inputs]  # no token sees what follows
        logits = model(torch.tensor(padded, device=device))  # (B, T, V)
        for k, ids, row in zip(rows, inputs, logits):
            count = len(pairs[k][1])
            scores[k] = _score(row[len(ids) - count : len(ids)], pairs[k][1])
        start, size = start + len(rows), max(1, LOGITS // logits[0].numel())
    return [scores[k] for k in range(len(pairs))]


def _score(logits: Tensor, continuation: Ids) -> Score:
    """Of the logits (L, V) from which its tokens are predicted."""
    logits = logits if logits.dtype == torch.float64 else logits.float()
    target = torch.tensor(continuation, dtype=torch.int64, device=logits.device)
    log_p = logits.log_softmax(1).gather(1, target[:, None])[:, 0]
    return Score(log_p.cpu(), bool((logits.argmax(1) == target).all()))
