"""Generation: a language model continues prompts, token by token.

Shapes: B sequences, T tokens, V vocabulary.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.inference.decode import DecodeStep
from zoo.inference.protocols import LanguageModel

COLDEST = 1e-30  # temperature by which any logits can be divided


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: Divides the logits: below 1 favours likely tokens, above 1 gives more varied
            text; 0 always takes the likeliest token (greedy decoding).
        top_k: Sample from this many of the likeliest tokens; None for all.
        top_p: Sample from the likeliest tokens that together reach this probability (nucleus
            sampling: Holtzman et al., 2020, arXiv:1904.09751).
        repetition_penalty: Divides positive logits, and multiplies negative ones, of tokens that
            the sequence already contains (Keskar et al., 2019, arXiv:1909.05858, for positive
            logits).
        seed: Seed of the first sequence; sequence k uses seed + k, whatever else is in the batch.

    Raises:
        ValueError: A value out of its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, valid, expected in (
            (
                "temperature",
                self.temperature == 0 or COLDEST <= self.temperature < float("inf"),
                f"0 (the likeliest), or {COLDEST:g} or more",
            ),
            ("top_k", self.top_k is None or self.top_k >= 1, "1 or more, or null for all"),
            ("top_p", 0 < self.top_p <= 1, "above 0, at most 1"),
            ("repetition_penalty", 0 < self.repetition_penalty < float("inf"), "above 0, 1 is off"),
            ("seed", 0 <= self.seed < 2**63, "0 or more"),
        ):
            if not valid:
                raise ValueError(f"{name}={getattr(self, name)}: expected {expected}")


def generate(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    max_tokens: int,
    sampling: Sampling,
    ends: Collection[int] = (),
    cached: bool = True,
    draws: Tensor | None = None,
) -> Iterator[list[int | None]]:
    """Continue each prompt, one token of every sequence at a time.

    When the context is full, the older half of it is dropped and the rest is read again, with a
    cache and without: the tokens are the same.

    Args:
        model: In evaluation mode.
        prompts: Token ids, at least one and at most `model.context` each. Prompts of equal length
            are batched.
        max_tokens: Maximum number of new tokens of each sequence.
        sampling: How to choose them. The global random state is not touched.
        ends: Ids of tokens that end a sequence; none of them is yielded.
        cached: Whether to cache keys and values (or hidden states) of the tokens so far.
        draws: Uniform random numbers in [0, 1) to choose by, float64 (prompts, max_tokens) on the
            CPU, in place of those that follow from `sampling.seed`.

    Yields:
        A token id for each prompt, None for those that have ended; stops when all have.

    Raises:
        ValueError: An empty prompt, or one longer than the context.
    """
    groups: dict[int, list[int]] = {}
    for row, prompt in enumerate(prompts):
        groups.setdefault(len(prompt), []).append(row)
    batches = []
    for rows in groups.values():
        own = _draw(rows, max_tokens, sampling) if draws is None else draws[rows]
        batch = _Batch(model, [prompts[row] for row in rows], own, sampling, cached)
        batches.append((rows, batch))
    ended = [False] * len(prompts)
    for _ in range(max_tokens):
        step: list[int | None] = [None] * len(prompts)
        for rows, batch in batches:
            if all(ended[row] for row in rows):
                continue
            for row, token in zip(rows, batch.next_tokens()):
                ended[row] = ended[row] or token in ends
                step[row] = None if ended[row] else token
        if all(ended):
            return
        yield step


def _draw(rows: Sequence[int], count: int, sampling: Sampling) -> Tensor | None:
    """Draw all random numbers in advance, by each sequence's own seed: float64 (B, count)."""
    if sampling.temperature == 0:
        return None
    seeds = [(sampling.seed + row) % 2**63 for row in rows]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return torch.stack([torch.rand(count, generator=g, dtype=torch.float64) for g in generators])


class _Batch:
    """Sequences of one length, continued together.

    Args:
        model, prompts, sampling, cached: As in `generate`.
        draws: Random numbers, float64 (B, max_tokens); None where none are needed.
    """

    def __init__(
        self,
        model: LanguageModel,
        prompts: Sequence[Sequence[int]],
        draws: Tensor | None,
        sampling: Sampling,
        cached: bool,
    ) -> None:
        self.model, self.sampling, self.cached = model, sampling, cached
        self.context = model.context
        self.length = len(prompts[0])
        if not 1 <= self.length <= (self.context or self.length):
            raise ValueError(f"a prompt of {self.length} tokens, expected 1 to {self.context}")
        self.device = next(model.parameters()).device
        self.sequences = [list(map(int, prompt)) for prompt in prompts]
        self.window_start, self.generated = 0, 0  # the model reads tokens from window_start on
        self.cache = model.new_cache(len(prompts)) if cached else None
        self.decode: Callable[[Tensor], Tensor] | None = None
        self.uncached: Tensor | None = None  # (B, T) tokens to read next; None: the whole window
        self.draws = None if sampling.temperature == 0 else draws
        self.seen: Tensor | None = None  # (B, V): tokens in each sequence

    @torch.inference_mode()
    def next_tokens(self) -> list[int]:
        """Choose and append the next token of each sequence."""
        if self.context is not None and self.length - self.window_start > self.context:
            self.window_start, self.uncached = self.length - max(1, self.context // 2), None
            self.cache = self.model.new_cache(len(self.sequences)) if self.cached else None
            self.decode = None
        tokens = self.uncached
        if tokens is None:
            windows = [sequence[self.window_start :] for sequence in self.sequences]
            tokens = torch.tensor(windows, device=self.device)
        logits = self._logits(tokens)  # (B, V)
        if self.sampling.repetition_penalty != 1:
            logits = self._penalise(logits, tokens)
        draws = None if self.draws is None else self.draws[:, self.generated]
        chosen = choose(logits, self.sampling, draws)
        if self.cached:
            self.uncached = chosen[:, None]
        self.length, self.generated = self.length + 1, self.generated + 1
        ids: list[int] = chosen.tolist()
        for sequence, token in zip(self.sequences, ids):
            sequence.append(token)
        return ids

    def _logits(self, tokens: Tensor) -> Tensor:
        """Logits of the next token, (B, V)."""
        if self.cache is None or tokens.shape[1] > 1:
            return self._call_model(tokens)
        if self.decode is None:
            fast = DecodeStep.of(self.model, self.cache, len(tokens))
            self.decode = self._call_model if fast is None else fast
        return self.decode(tokens)

    def _call_model(self, tokens: Tensor) -> Tensor:
        return self.model(tokens, cache=self.cache, last_only=True)[:, -1]

    def _penalise(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Apply the repetition penalty, after noting the tokens that were just read."""
        if self.seen is None:
            self.seen = torch.zeros_like(logits, dtype=torch.bool)
        self.seen.scatter_(1, tokens, True)
        penalty = self.sampling.repetition_penalty
        penalised = torch.where(logits > 0, logits / penalty, logits * penalty)
        return torch.where(self.seen, penalised, logits)


def choose(logits: Tensor, sampling: Sampling, draws: Tensor | None) -> Tensor:
    """Choose the next token of each sequence, int64 (B,).

    Args:
        logits: (B, V).
        sampling: Temperature, top_k and top_p.
        draws: Uniform random numbers in [0, 1), float64 (B,); None with temperature 0.
    """
    if draws is None:
        return logits.argmax(-1)
    # MPS has no float64; a GPU's cumsum does not repeat, and raises where runs must.
    must_repeat = logits.device.type != "cpu" and torch.are_deterministic_algorithms_enabled()
    if logits.device.type == "mps" or must_repeat:
        return choose(logits.cpu(), sampling, draws).to(logits.device)
    logits, ids = logits.double() / sampling.temperature, None
    if sampling.top_k is not None and sampling.top_k < logits.shape[-1]:
        logits, ids = logits.topk(sampling.top_k)  # in descending order
    elif sampling.top_p < 1:
        logits, ids = logits.sort(descending=True)
    probability = logits.softmax(-1)
    cumulative = probability.cumsum(-1)  # (B, V)
    last = torch.full_like(cumulative[:, :1], cumulative.shape[1] - 1, dtype=torch.int64)
    if sampling.top_p < 1:  # the last token before which the sum had not reached top_p
        last = (cumulative - probability < sampling.top_p).sum(1, keepdim=True).clamp(min=1) - 1
    # Inverse transform sampling among the tokens up to `last`.
    threshold = draws[:, None].to(cumulative.device) * cumulative.gather(1, last)
    index = torch.searchsorted(cumulative, threshold, right=True).minimum(last)  # (B, 1)
    return (index if ids is None else ids.gather(1, index))[:, 0]
