"""Greedy and beam search: the likeliest target text for a source, over any encoder-decoder.

Beam search keeps the `beam` likeliest beginnings. Ends are compared by log-probability over a
length penalty, since each token makes a text less likely (Wu et al., 2016,
https://arxiv.org/abs/1609.08144, equation 14, without the coverage term).

A model for it has `encode(source (B, S)) -> memory`, `decode(tokens (B, T), memory, cache) ->
logits (B, T, V)`, where a cache holds the tokens before, `new_cache(batch_size)`, and
`select(memory or cache, index (B',))`, which gives those of the batch in that order.
Shapes: B sentences, K beams, S source tokens, T target tokens, V vocabulary.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Hypothesis(NamedTuple):
    """A target text.

    Attributes:
        tokens: Its ids, without those that begin and end it.
        log_prob: Natural logarithm of its probability, end included.
        score: That over the length penalty; the higher the better.
    """

    tokens: list[int]
    log_prob: float
    score: float


class Decoding:
    """Texts being written: R of them, side by side.

    Args:
        model: An encoder-decoder.
        source: int64 (R, S).
        bos_id: Begins every text.
        copies: How many texts to write for each source, next to each other.
        cached: Whether to keep what was computed for earlier tokens.
    """

    def __init__(
        self, model: Any, source: Tensor, bos_id: int, copies: int = 1, cached: bool = True
    ) -> None:
        self.model, self.memory = model, model.encode(source)
        if copies > 1:
            rows = torch.arange(len(source), device=source.device).repeat_interleave(copies)
            self.memory = model.select(self.memory, rows)
        size = (len(source) * copies, 1)
        self.tokens = torch.full(size, bos_id, device=source.device)  # (R, T)
        self.cache = model.new_cache(len(self.tokens)) if cached else None

    def logits(self) -> Tensor:
        """Of the token after the last of each text: float32 (R, V)."""
        tokens = self.tokens if self.cache is None else self.tokens[:, -1:]
        return self.model.decode(tokens, self.memory, self.cache)[:, -1].float()

    def select(self, rows: Tensor) -> None:
        """Go on with these texts alone, int64 (R',)."""
        self.memory = self.model.select(self.memory, rows)
        if self.cache is not None:
            self.cache = self.model.select(self.cache, rows)
        self.tokens = self.tokens[rows]

    def append(self, chosen: Tensor) -> None:
        """Write one token more to each, (R,)."""
        self.tokens = torch.cat([self.tokens, chosen[:, None]], dim=1)


@torch.no_grad()
def greedy_search(
    model: Any,
    source: Tensor,
    bos_id: int,
    eos_id: int,
    max_length: int,
    never: Sequence[int] = (),
    cached: bool = True,
) -> list[list[int]]:
    """The likeliest token, one after another: ids of each sentence, without `bos_id` and `eos_id`.

    Args:
        model: An encoder-decoder, in evaluation mode.
        source: int64 (B, S), padded on the right.
        bos_id, eos_id: Begin and end a text.
        max_length: The most tokens to write, the end counted in.
        never: Ids not to be written: padding.
        cached: As in `Decoding`.
    """
    texts: list[list[int]] = [[] for _ in source]
    state = Decoding(model, source, bos_id, cached=cached)
    open_rows = torch.arange(len(source))  # sentence that each row of `state` belongs to
    done = torch.zeros(len(source), dtype=torch.bool)
    for _ in range(max_length - 1):
        logits = state.logits()
        logits[:, list(never)] = float("-inf")
        chosen = logits.argmax(1)
        state.append(chosen)
        for row, token in enumerate(chosen.tolist()):
            if not done[row]:
                if token == eos_id:
                    done[row] = True
                else:
                    texts[int(open_rows[row])].append(token)
        if bool(done.all()):
            break
        if 4 * int(done.sum()) >= len(done):  # those that ended cost as much as the others
            kept = (~done).nonzero()[:, 0]
            state.select(kept.to(source.device))
            open_rows, done = open_rows[kept], done[kept]
    return texts


@torch.no_grad()
def beam_search(
    model: Any,
    source: Tensor,
    bos_id: int,
    eos_id: int,
    max_length: int,
    never: Sequence[int] = (),
    beam: int = 4,
    length_penalty: float = 0.6,
    n_best: int = 1,
    cached: bool = True,
) -> list[list[Hypothesis]]:
    """The best texts found for each sentence, `n_best` of them or fewer, best first.

    At each step the `beam` best of all continuations are looked at: those that end are put by, the
    others go on. A sentence is done when `beam` texts have ended, or when none that goes on can
    still come among the `n_best`. With one beam it is greedy search.

    Args:
        model, source, bos_id, eos_id, max_length, never, cached: As in `greedy_search`.
        beam: K.
        length_penalty: The exponent alpha of ((5 + T) / 6) ^ alpha, T tokens, the end counted in:
            0 compares bare probabilities, more favours longer texts.
        n_best: At most K.
    """
    if not 1 <= n_best <= beam or length_penalty < 0:
        raise ValueError(
            f"n_best={n_best}, beam={beam}, length_penalty={length_penalty}: expected 1 <= n_best "
            "<= beam, and a penalty of 0 or more"
        )
    state = Decoding(model, source, bos_id, beam, cached)
    ended = [Ended(beam, n_best, length_penalty, max_length) for _ in source]
    open_rows = list(range(len(source)))  # sentence of each K rows of `state`
    scores = torch.full((len(source), beam), float("-inf"), device=source.device)
    scores[:, 0] = 0.0  # all beams begin alike: one of them is enough
    for step in range(1, max_length + 1):
        log_probs = state.logits().log_softmax(1)
        log_probs[:, list(never)] = float("-inf")
        if step == max_length:  # nothing but an end fits in
            log_probs[:, torch.arange(log_probs.shape[1]) != eos_id] = float("-inf")
        size = log_probs.shape[1]
        total = (scores[..., None] + log_probs.view(*scores.shape, size)).flatten(1)  # (B, K V)
        best, place = total.topk(min(2 * beam, total.shape[1]))  # K of them do not end
        parent, token = place // size, place % size
        ends = token == eos_id
        first = torch.arange(len(open_rows), device=source.device)[:, None] * beam
        for row, rank in (ends[:, :beam] & best[:, :beam].isfinite()).nonzero().tolist():
            text = state.tokens[first[row, 0] + parent[row, rank], 1:].tolist()
            ended[open_rows[row]].add(text, float(best[row, rank]))
        order = ends.long().argsort(dim=1, stable=True)[:, :beam]  # the best that go on
        scores = best.masked_fill(ends, float("-inf")).gather(1, order)
        live = [not ended[s].over(x) for s, x in zip(open_rows, scores[:, 0].tolist())]
        if not any(live):
            break
        kept = torch.tensor(live, device=source.device)
        rows = (first + parent.gather(1, order))[kept].flatten()
        state.select(rows)
        state.append(token.gather(1, order)[kept].flatten())
        scores, open_rows = scores[kept], [s for s, alive in zip(open_rows, live) if alive]
    return [one.best() for one in ended]


class Ended:
    """The texts of one sentence that have ended.

    Args:
        beam: How many are enough.
        n_best: How many are wanted.
        length_penalty, max_length: As in `beam_search`.
    """

    def __init__(self, beam: int, n_best: int, length_penalty: float, max_length: int) -> None:
        self.beam, self.n_best = beam, n_best
        self.alpha, self.max_length = length_penalty, max_length
        self.found: list[Hypothesis] = []

    def add(self, tokens: list[int], log_prob: float) -> None:
        """One more, of so many tokens and an end."""
        score = log_prob / self._penalty(len(tokens) + 1)
        self.found.append(Hypothesis(tokens, log_prob, score))

    def over(self, log_prob: float) -> bool:
        """Whether none that goes on, the best of them with this log-probability, can still win."""
        if len(self.found) >= self.beam or log_prob == float("-inf"):
            return True
        if len(self.found) < self.n_best:
            return False
        return log_prob / self._penalty(self.max_length) <= self.best()[-1].score

    def best(self) -> list[Hypothesis]:
        """The wanted ones, best first."""
        return sorted(self.found, key=lambda one: -one.score)[: self.n_best]

    def _penalty(self, length: int) -> float:
        return ((5 + length) / 6) ** self.alpha
