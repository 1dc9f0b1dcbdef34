"""Answers that a policy samples to prompts, and how probable a policy finds them.

Shapes: N answers, T tokens of the longest prompt with its answer, L tokens of an answer at most,
V vocabulary.
"""

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.inference.generation import Sampling, generate
from zoo.inference.protocols import LanguageModel
from zoo.layers.mixture import refuse_auxiliary
from zoo.tasks.base import context_of, no_autocast


class Rollouts(NamedTuple):
    """Prompts, each with an answer.

    Attributes:
        tokens: Int64 (N, T), filled up on the right.
        sampled: Bool (N, T - 1), whether the token after each position is the answer's, the token
            that ends it included.
        answers: Ids of each answer, without that token.
        ended: Whether the answer came to its end.
    """

    tokens: Tensor
    sampled: Tensor
    answers: list[list[int]]
    ended: list[bool]

    @property
    def lengths(self) -> Tensor:
        """Tokens of each answer, without its end, int64 (N,), on the device of the tokens."""
        lengths = torch.tensor([len(answer) for answer in self.answers])
        return lengths.to(self.tokens.device)


def roll_out(
    model: nn.Module,
    prompts: Sequence[Sequence[int]],
    end: int,
    max_tokens: int,
    draws: Tensor | None,
) -> Rollouts:
    """Answer each prompt, in batches and through the cache; without gradients.

    Args:
        model: A language model in evaluation mode.
        prompts: Token ids, with room for one more in the model's context.
        end: Id of the token that ends an answer.
        max_tokens: L, the token that ends an answer included; of one for which the context has no
            room, as many as it has.
        draws: Random numbers to sample by, float64 (N, L) in [0, 1); None for the likeliest tokens.
    """
    device = next(model.parameters()).device
    sampling = Sampling(temperature=0.0 if draws is None else 1.0)
    context, limits = context_of(model), [max_tokens] * len(prompts)
    if context is not None:
        limits = [min(max_tokens, context + 1 - len(prompt)) for prompt in prompts]
    answers: list[list[int]] = [[] for _ in prompts]
    # In the weights' own precision: for one token, casting them would cost more than it saves.
    with no_autocast(device):
        policy = cast(LanguageModel, model)
        for step in generate(policy, prompts, max(limits), sampling, [end], draws=draws):
            for answer, limit, token in zip(answers, limits, step, strict=True):
                if token is not None and len(answer) < limit:
                    answer.append(token)
    ended = [len(answer) < limit for answer, limit in zip(answers, limits, strict=True)]
    return _padded(prompts, answers, ended, end, device)


def _padded(
    prompts: Sequence[Sequence[int]],
    answers: list[list[int]],
    ended: list[bool],
    end: int,
    device: torch.device,
) -> Rollouts:
    rows = [
        [*prompt, *answer, *([end] if is_whole else [])]
        for prompt, answer, is_whole in zip(prompts, answers, ended, strict=True)
    ]
    longest = max(map(len, rows))
    tokens = torch.tensor([row + [end] * (longest - len(row)) for row in rows])
    position = torch.arange(1, longest)
    start, stop = torch.tensor([[len(prompt), len(row)] for prompt, row in zip(prompts, rows)]).T
    sampled = (position >= start[:, None]) & (position < stop[:, None])
    return Rollouts(tokens.to(device), sampled.to(device), answers, ended)


def log_probabilities(
    model: nn.Module, rollouts: Rollouts, rows: Tensor | Sequence[int] | slice = slice(None)
) -> Tensor:
    """Log-probability of each answer after its prompt, or of those of some rows, in nats, (N,)."""
    tokens = rollouts.tokens[rows]
    logits = model(tokens[:, :-1])  # (N, T - 1, V)
    return log_probabilities_of(logits, tokens[:, 1:], rollouts.sampled[rows])


def log_probabilities_of(logits: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    """Log-probability of the tokens that count, in nats, (N,).

    Args:
        logits: (N, T, V).
        target: Int64 (N, T).
        counted: Bool (N, T).
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    nats = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none")
    return -(nats.view_as(target) * counted).sum(1)


def own_draws(prompts: Sequence[Sequence[int]], count: int, seed: int = 0) -> Tensor:
    """Random numbers that follow from a seed and each prompt itself, float64 (N, count): the same
    whatever else is in the batch, and on any number of ranks."""
    first = seed * 2**32 % 2**63
    seeds = [first + zlib.crc32(np.asarray(prompt, dtype=np.int64).tobytes()) for prompt in prompts]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return torch.stack([torch.rand(count, generator=g, dtype=torch.float64) for g in generators])


def unwrapped(model: nn.Module) -> nn.Module:
    """The model itself, of one that is compiled, or wrapped for several devices."""
    model = getattr(model, "module", model)
    return getattr(model, "_orig_mod", model)


@contextlib.contextmanager
def without_dropout(policy: nn.Module) -> Iterator[bool]:
    """Evaluation mode, for a while; gives whether the policy is in training.

    Raises:
        ValueError: It is, and has auxiliary losses, which come about in training mode alone.
    """
    training = policy.training
    if training:
        refuse_auxiliary(policy)
    policy.eval()
    try:
        yield training
    finally:
        policy.train(training)


@contextlib.contextmanager
def starting_policy(model: nn.Module, teacher: nn.Module | None) -> Iterator[nn.Module | None]:
    """The policy that training began with: the teacher, or else the model with its adapter switched
    off; None for a model without one.

    Args:
        model: The policy, unwrapped.
        teacher: The network of `teacher.from`, if there is one.
    """
    if teacher is not None:
        yield teacher
        return
    layers: list[Any] = [module for module in model.modules() if hasattr(module, "adapter_on")]
    for layer in layers:
        layer.adapter_on = False
    try:
        yield model if layers else None
    finally:
        for layer in layers:
            layer.adapter_on = True
