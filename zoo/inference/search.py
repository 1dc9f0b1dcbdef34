"""Greedy and beam search: the likeliest target for a source, with any encoder-decoder.

Beam search keeps the `beam` likeliest partial targets. Finished ones are compared by
log-probability over a length penalty, since each token makes a target less likely (Wu et al., 2016,
https://arxiv.org/abs/1609.08144, equation 14, without the coverage term).
Shapes: B sentences, K beams, S source tokens, T target tokens, V vocabulary.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.inference.protocols import EncoderDecoder


class Hypothesis(NamedTuple):
    """A finished target.

    Attributes:
        tokens: Its ids, without `bos_id` and `eos_id`.
        log_prob: Natural logarithm of its probability, including that of its end.
        score: log_prob over the length penalty; higher is better.
    """

    tokens: list[int]
    log_prob: float
    score: float


class PartialTargets:
    """R partial targets, decoded side by side.

    Args:
        model: An encoder-decoder.
        source: Int64 (N, S).
        bos_id: First token of every target.
        copies: Partial targets of each source, in adjacent rows: R = N copies.
        cached: Whether to cache what was computed for earlier tokens.
    """

    def __init__(
        self,
        model: EncoderDecoder,
        source: Tensor,
        bos_id: int,
        copies: int = 1,
        cached: bool = True,
    ) -> None:
        self.model, self.memory = model, model.encode(source)
        if copies > 1:
            rows = torch.arange(len(source), device=source.device).repeat_interleave(copies)
            self.memory = model.select(self.memory, rows)
        shape = (len(source) * copies, 1)
        self.tokens = torch.full(shape, bos_id, device=source.device)  # (R, T)
        self.cache = model.new_cache(len(self.tokens)) if cached else None

    def logits(self) -> Tensor:
        """Logits of the next token of each target, float32 (R, V)."""
        tokens = self.tokens if self.cache is None else self.tokens[:, -1:]
        return self.model.decode(tokens, self.memory, self.cache)[:, -1].float()

    def select(self, rows: Tensor) -> None:
        """Keep these rows only, int64 (R',), in this order."""
        self.memory = self.model.select(self.memory, rows)
        if self.cache is not None:
            self.cache = self.model.select(self.cache, rows)
        self.tokens = self.tokens[rows]

    def append(self, tokens: Tensor) -> None:
        """Append one token to each target, int64 (R,)."""
        self.tokens = torch.cat([self.tokens, tokens[:, None]], dim=1)


@torch.no_grad()
def greedy_search(
    model: EncoderDecoder,
    source: Tensor,
    bos_id: int,
    eos_id: int,
    max_length: int,
    never: Sequence[int] = (),
    cached: bool = True,
) -> list[list[int]]:
    """Take the likeliest token at each step.

    Args:
        model: In evaluation mode.
        source: Int64 (B, S), padded on the right.
        bos_id, eos_id: First and last token of a target.
        max_length: Maximum number of tokens of a target, including `eos_id`.
        never: Ids that may not be chosen, such as padding.
        cached: As in `PartialTargets`.

    Returns:
        Token ids of each sentence's target, without `bos_id` and `eos_id`.
    """
    targets: list[list[int]] = [[] for _ in source]
    state = PartialTargets(model, source, bos_id, cached=cached)
    sentence = torch.arange(len(source))  # of each row of `state`
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
                    targets[int(sentence[row])].append(token)
        if bool(done.all()):
            break
        if 4 * int(done.sum()) >= len(done):  # finished rows cost as much as the others
            rows = (~done).nonzero()[:, 0]
            state.select(rows.to(source.device))
            sentence, done = sentence[rows], done[rows]
    return targets


@torch.no_grad()
def beam_search(
    model: EncoderDecoder,
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
    """Find up to `n_best` targets for each sentence, best first.

    Each step takes the `beam` best continuations: finished ones are set aside, the others are
    continued. A sentence is done when `beam` targets are finished, or when no unfinished one can
    still be among the `n_best`. With one beam it is greedy search.

    Args:
        model, source, bos_id, eos_id, max_length, never, cached: As in `greedy_search`.
        beam: K.
        length_penalty: Exponent alpha of ((5 + T) / 6) ^ alpha, where T counts the tokens and the
            end: 0 compares plain probabilities, higher values favour longer targets.
        n_best: At most K.
    """
    if not 1 <= n_best <= beam or length_penalty < 0:
        raise ValueError(
            f"n_best={n_best}, beam={beam}, length_penalty={length_penalty}: expected 1 <= n_best "
            "<= beam, and a penalty of 0 or more"
        )
    state = PartialTargets(model, source, bos_id, beam, cached)
    finished = [Finished(beam, n_best, length_penalty, max_length) for _ in source]
    beams = Beams(state, finished, beam, eos_id)
    for step in range(1, max_length + 1):
        log_probs = state.logits().log_softmax(1)
        log_probs[:, list(never)] = float("-inf")
        if step == max_length:  # only the end fits in
            log_probs[:, torch.arange(log_probs.shape[1]) != eos_id] = float("-inf")
        if not beams.step(log_probs):
            break
    return [hypotheses.best() for hypotheses in finished]


class Finished:
    """The finished targets of one sentence.

    Args:
        beam: How many end the search.
        n_best: How many to return.
        length_penalty, max_length: As in `beam_search`.
    """

    def __init__(self, beam: int, n_best: int, length_penalty: float, max_length: int) -> None:
        self.beam, self.n_best = beam, n_best
        self.alpha, self.max_length = length_penalty, max_length
        self.hypotheses: list[Hypothesis] = []

    def add(self, tokens: list[int], log_prob: float) -> None:
        """Add a target, whose log-probability includes its end."""
        score = log_prob / self._penalty(len(tokens) + 1)
        self.hypotheses.append(Hypothesis(tokens, log_prob, score))

    def is_final(self, log_prob: float) -> bool:
        """Whether no unfinished target, at best of this log-probability, can still be returned."""
        if len(self.hypotheses) >= self.beam or log_prob == float("-inf"):
            return True
        if len(self.hypotheses) < self.n_best:
            return False
        return log_prob / self._penalty(self.max_length) <= self.best()[-1].score

    def best(self) -> list[Hypothesis]:
        """The `n_best` targets, best first."""
        return sorted(self.hypotheses, key=lambda h: -h.score)[: self.n_best]

    def _penalty(self, length: int) -> float:
        return ((5 + length) / 6) ** self.alpha


class Beams:
    """The beams of all sentences that are not done, K adjacent rows of `state` each.

    Args:
        state: The partial targets of all beams.
        finished: Where to put the finished targets of each sentence.
        beam: K.
        eos_id: Last token of a target.
    """

    def __init__(
        self, state: PartialTargets, finished: list[Finished], beam: int, eos_id: int
    ) -> None:
        self.state, self.finished, self.beam, self.eos_id = state, finished, beam, eos_id
        self.sentences = list(range(len(finished)))
        device = state.tokens.device
        self.log_probs = torch.full((len(finished), beam), float("-inf"), device=device)  # (B, K)
        self.log_probs[:, 0] = 0.0  # all beams are equal at first: continue one of them

    def step(self, log_probs: Tensor) -> bool:
        """Continue all beams by a token; False if all sentences are done.

        Args:
            log_probs: Of the next token of each beam, (B K, V).
        """
        size = log_probs.shape[1]
        total = self.log_probs[..., None] + log_probs.view(*self.log_probs.shape, size)
        total = total.flatten(1)  # (B, K V)
        best, index = total.topk(min(2 * self.beam, total.shape[1]))  # at least K do not end
        parent, token = index // size, index % size
        ends = token == self.eos_id
        first_rows = torch.arange(len(total), device=total.device)[:, None] * self.beam
        for k, rank in (ends[:, : self.beam] & best[:, : self.beam].isfinite()).nonzero().tolist():
            target = self.state.tokens[first_rows[k, 0] + parent[k, rank], 1:].tolist()
            self.finished[self.sentences[k]].add(target, float(best[k, rank]))
        order = ends.long().argsort(dim=1, stable=True)[:, : self.beam]  # unfinished ones first
        beam_log_probs = best.masked_fill(ends, float("-inf")).gather(1, order)
        return self._keep_open(
            beam_log_probs, first_rows + parent.gather(1, order), token.gather(1, order)
        )

    def _keep_open(self, log_probs: Tensor, rows: Tensor, tokens: Tensor) -> bool:
        """Continue `rows` of the state by `tokens`, (B, K) each, of sentences that are not done."""
        best_log_probs = log_probs[:, 0].tolist()
        is_open = [
            not self.finished[sentence].is_final(log_prob)
            for sentence, log_prob in zip(self.sentences, best_log_probs)
        ]
        if not any(is_open):
            return False
        open_mask = torch.tensor(is_open, device=log_probs.device)
        self.state.select(rows[open_mask].flatten())
        self.state.append(tokens[open_mask].flatten())
        self.log_probs = log_probs[open_mask]
        self.sentences = [s for s, keep in zip(self.sentences, is_open) if keep]
        return True
