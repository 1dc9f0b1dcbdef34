"""Prompts and responses of a batch, and the rewards of other answers to them.

Shapes: B prompts, G answers to each, N answers, T tokens.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoo.errors import UserError
from zoo.tasks.base import Batch
from zoo.tasks.markdown import table
from zoo.tasks.rollouts import Rollouts


class Questions(NamedTuple):
    """Prompts and their responses.

    Attributes:
        prompts: Ids of each.
        responses: Ids of each, without the end; None where they are not known.
    """

    prompts: list[list[int]]
    responses: list[list[int] | None]

    @classmethod
    def of(cls, batch: Batch) -> "Questions":
        """Those of `input` (B, T), of which `scored`, bool (B, T - 1), marks the responses; without
        it, `input` holds prompts of one length.

        Raises:
            UserError: A batch to train on, without responses.
        """
        rows = batch["input"].tolist()
        if "scored" not in batch:
            return cls(rows, [None] * len(rows))
        prompts: list[list[int]] = []
        responses: list[list[int] | None] = []
        for row, scored in zip(rows, batch["scored"].tolist(), strict=True):
            start = scored.index(True) + 1
            if not all(scored[start - 1 : start - 1 + sum(scored)]):
                raise UserError(
                    "task=reinforce takes one answer a row, and a conversation has several; give "
                    "conversations of one answer, unpacked"
                )
            prompts.append(row[:start])
            responses.append(row[start : start + sum(scored) - 1])
        return cls(prompts, responses)

    def repeated(self, times: int) -> "Questions":
        """Each question so many times in a row."""
        prompts = [prompt for prompt in self.prompts for _ in range(times)]
        return Questions(prompts, [r for r in self.responses for _ in range(times)])


class Rewarder:
    """Rewards answers.

    Args:
        tokenizer: Ids to text.
        verifier: A function of a prompt and an answer to a reward from 0 to 1; None where an answer
            is right that equals the response.
    """

    def __init__(self, tokenizer: Any, verifier: Callable[[str, str], float] | None) -> None:
        self.tokenizer, self.verifier = tokenizer, verifier

    def rewards(self, questions: Questions, rollouts: Rollouts) -> Tensor:
        """Of each answer, float32 (N,); 0 for one that does not end."""
        rewards = [
            self.reward(prompt, answer, response) if ended else 0.0
            for prompt, response, answer, ended in zip(
                *questions, rollouts.answers, rollouts.ended, strict=True
            )
        ]
        return torch.tensor(rewards, device=rollouts.tokens.device)

    def reward(
        self, prompt: Sequence[int], answer: Sequence[int], response: Sequence[int] | None
    ) -> float:
        """Of one answer that has come to its end."""
        decode = self.tokenizer.decode
        if self.verifier is not None:
            return float(self.verifier(decode(prompt), decode(answer)))
        assert response is not None
        return float(decode(answer).strip() == decode(response).strip())

    def knows(self, questions: Questions) -> bool:
        """Whether answers to them can be rewarded: there is a verifier, or there are responses."""
        return self.verifier is not None or None not in questions.responses


def leave_one_out(rewards: Tensor) -> Tensor:
    """Each reward less the mean of the others of its group: (B, G) to (B, G)."""
    size = rewards.shape[1]
    return (rewards - rewards.mean(1, keepdim=True)) * (size / (size - 1))


def marked(text: str, reward: float) -> str:
    """An answer with what was thought of it."""
    mark = "\u2713" if reward >= 1 else "\u2717" if reward <= 0 else f"({reward:.2f})"
    return f"{text} {mark}"


def answers_table(
    decode: Callable[[Sequence[int]], str],
    prompts: Sequence[Sequence[int]],
    greedy: Sequence[Sequence[int]],
    samples: Sequence[Sequence[int]],
    right: Tensor,
    rewards: Tensor,
) -> str:
    """Answers with their rewards, as Markdown.

    Args:
        decode: Ids to text.
        prompts: Those to show, P.
        greedy: The likeliest answer to each, and maybe to others after them.
        samples: Likewise G answers to each, group after group.
        right: Rewards of `greedy`, (P,) or more.
        rewards: Of `samples`, (P, G) or more.
    """
    rows, size = [], rewards.shape[1]
    for k, prompt in enumerate(prompts):
        answers = zip(samples[k * size : (k + 1) * size], rewards[k].tolist())
        texts = [marked(decode(answer), reward) for answer, reward in answers]
        best = marked(decode(greedy[k]), float(right[k]))
        rows.append((decode(prompt), best, "  ".join(texts), f"{float(rewards[k].mean()):.2f}"))
    return table(("prompt", "greedy", "samples", "mean reward"), rows)
