"""Generation: a language model writes on, token by token.

The model is any module with `model(tokens, cache=None, last_only=False) -> logits (B, T, V)`
(with `last_only`, (B, 1, V) of the last token), `model.new_cache(batch)` and `model.context`: how
many tokens it can look back on, None for any number.
Shapes: B texts, T tokens, V vocabulary.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo.inference.decode import DecodeStep


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: Divides the logits: below 1 bolder in what is likely, above 1 more varied; 0
            always takes the likeliest token.
        top_k: Only this many of the likeliest tokens may be chosen; None for all.
        top_p: Only the likeliest tokens that together reach this probability (Holtzman et al.,
            2020, arXiv:1904.09751).
        repetition_penalty: Divides positive logits of tokens that the text has already, multiplies
            negative ones (Keskar et al., 2019, arXiv:1909.05858, whose rule is for positive ones).
        seed: Of the first text; the k-th takes seed + k, whatever stands beside it.

    Raises:
        ValueError: A value out of its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, fine, range_ in (
            ("temperature", 0 <= self.temperature < float("inf"), "0 (the likeliest) or more"),
            ("top_k", self.top_k is None or self.top_k >= 1, "1 or more, or null for all"),
            ("top_p", 0 < self.top_p <= 1, "above 0, at most 1"),
            ("repetition_penalty", 0 < self.repetition_penalty < float("inf"), "above 0, 1 is off"),
            ("seed", 0 <= self.seed < 2**63, "0 or more"),
        ):
            if not fine:
                raise ValueError(f"{name}={getattr(self, name)}: expected {range_}")


def generate(
    model: nn.Module,
    prompts: Sequence[Sequence[int]],
    max_tokens: int,
    sampling: Sampling,
    end: int | None = None,
    cached: bool = True,
) -> Iterator[list[int | None]]:
    """Write on behind each prompt, a token of each text at a time.

    When the context is full, the oldest half of it is dropped and the rest is read anew, with and
    without a cache: the tokens are the same.

    Args:
        model: In evaluation mode.
        prompts: Token ids, at least one and at most `model.context` each; of any lengths, since
            those of one length are read together and others apart.
        max_tokens: How many to write.
        sampling: How to choose them. The global random numbers are left alone.
        end: The id that ends a text; it is not given back.
        cached: Whether to remember keys and values (or states) of tokens that were read.

    Yields:
        An id for each prompt, None for those that have ended; nothing more when all have.

    Raises:
        ValueError: An empty prompt, or one longer than the context.
    """
    groups: dict[int, list[int]] = {}
    for row, prompt in enumerate(prompts):
        groups.setdefault(len(prompt), []).append(row)
    writers = [
        (rows, _Writer(model, [prompts[row] for row in rows], rows, max_tokens, sampling, cached))
        for rows in groups.values()
    ]
    ended = [False] * len(prompts)
    for _ in range(max_tokens):
        step: list[int | None] = [None] * len(prompts)
        for rows, writer in writers:
            if all(ended[row] for row in rows):
                continue
            for row, token in zip(rows, writer.write()):
                ended[row] = ended[row] or token == end
                step[row] = None if ended[row] else token
        if all(ended):
            return
        yield step


class _Writer:
    """Texts of one length, read and written together.

    Args:
        model, prompts, max_tokens, sampling, cached: As in `generate`.
        rows: The place of each prompt among all, which decides its random numbers.
    """

    def __init__(
        self,
        model: Any,
        prompts: Sequence[Sequence[int]],
        rows: Sequence[int],
        max_tokens: int,
        sampling: Sampling,
        cached: bool,
    ) -> None:
        self.model, self.sampling, self.cached = model, sampling, cached
        self.context: int | None = model.context
        self.length = len(prompts[0])
        if not 1 <= self.length <= (self.context or self.length):
            raise ValueError(f"a prompt of {self.length} tokens, expected 1 to {self.context}")
        self.device = next(model.parameters()).device
        self.texts = [list(map(int, prompt)) for prompt in prompts]
        self.begin, self.written = 0, 0  # where the model's window begins in each text
        self.cache = model.new_cache(len(rows)) if cached else None
        self.decode: Callable[[Tensor], Tensor] | None = None
        self.unread: Tensor | None = None  # (B, T): what the cache lacks; None for the window
        self.draws = None if sampling.temperature == 0 else self._draw(rows, max_tokens)
        self.seen: Tensor | None = None  # (B, V)

    def _draw(self, rows: Sequence[int], number: int) -> Tensor:
        """All random numbers in advance, each text's own, from 0 to 1: float64 (B, number)."""
        seeds = [(self.sampling.seed + row) % 2**63 for row in rows]
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        return torch.stack(
            [torch.rand(number, generator=one, dtype=torch.float64) for one in generators]
        )

    @torch.inference_mode()
    def write(self) -> list[int]:
        """The next token of each text."""
        if self.context is not None and self.length - self.begin > self.context:
            self.begin, self.unread = self.length - max(1, self.context // 2), None
            self.cache = self.model.new_cache(len(self.texts)) if self.cached else None
            self.decode = None
        tokens = self.unread
        if tokens is None:
            tokens = torch.tensor([text[self.begin :] for text in self.texts], device=self.device)
        logits = self._logits(tokens)  # (B, V)
        if self.sampling.repetition_penalty != 1:
            logits = self._penalise(logits, tokens)
        draws = None if self.draws is None else self.draws[:, self.written]
        chosen = choose(logits, self.sampling, draws)
        if self.cached:
            self.unread = chosen[:, None]
        self.length, self.written = self.length + 1, self.written + 1
        ids: list[int] = chosen.tolist()
        for text, token in zip(self.texts, ids):
            text.append(token)
        return ids

    def _logits(self, tokens: Tensor) -> Tensor:
        """Of the token after the last: (B, V)."""
        if self.cache is None or tokens.shape[1] > 1:
            return self._call_model(tokens)
        if self.decode is None:
            fast = DecodeStep.of(self.model, self.cache, len(tokens))
            self.decode = self._call_model if fast is None else fast
        return self.decode(tokens)

    def _call_model(self, tokens: Tensor) -> Tensor:
        return self.model(tokens, cache=self.cache, last_only=True)[:, -1]

    def _penalise(self, logits: Tensor, tokens: Tensor) -> Tensor:
        if self.seen is None:
            self.seen = torch.zeros_like(logits, dtype=torch.bool)
        self.seen.scatter_(1, tokens, True)
        penalty = self.sampling.repetition_penalty
        lower = torch.where(logits > 0, logits / penalty, logits * penalty)
        return torch.where(self.seen, lower, logits)


def choose(logits: Tensor, sampling: Sampling, draws: Tensor | None) -> Tensor:
    """The next token of each text, int64 (B,).

    Args:
        logits: (B, V).
        sampling: Temperature, top_k and top_p.
        draws: Random numbers from 0 to 1, float64 (B,); None with temperature 0.
    """
    if draws is None:
        return logits.argmax(-1)
    if logits.device.type == "mps":  # has no float64
        return choose(logits.cpu(), sampling, draws).to(logits.device)
    logits, ids = logits.double() / sampling.temperature, None
    if sampling.top_k is not None and sampling.top_k < logits.shape[-1]:
        logits, ids = logits.topk(sampling.top_k)  # in descending order
    elif sampling.top_p < 1:
        logits, ids = logits.sort(descending=True)
    probability = logits.softmax(-1)
    mass = probability.cumsum(-1)  # (B, V)
    last = torch.full_like(mass[:, :1], mass.shape[1] - 1, dtype=torch.int64)
    if sampling.top_p < 1:  # those before which the mass had not reached it; the first always
        last = (mass - probability < sampling.top_p).sum(1, keepdim=True).clamp(min=1) - 1
    aim = draws[:, None].to(mass.device) * mass.gather(1, last)
    place = torch.searchsorted(mass, aim, right=True).minimum(last)  # (B, 1)
    return (place if ids is None else ids.gather(1, place))[:, 0]
