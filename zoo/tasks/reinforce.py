"""Reinforcement learning with a verifier: answers that are right become more probable.

REINFORCE (Williams, 1992, https://doi.org/10.1007/BF00992696) with a group of answers to each
prompt, each compared with the mean of the others: the leave-one-out baseline of Kool et al. (2019,
https://openreview.net/forum?id=r1lgTGL5DE) and of RLOO (Ahmadian et al., 2024,
https://arxiv.org/abs/2402.14740), from which the penalty for leaving the starting policy is taken.

    R(x, y) = verifier(x, y) - kl (log p(y | x) - log p_start(y | x))
    gradient of the loss = -sum over i of (R_i - mean of R_j, j not i) gradient of log p(y_i | x)

Answers are sampled from the model as it is at each step, without dropout, and so is their
probability: the gradient is that of the policy that was judged, and needs no importance weights.
Shapes: B prompts, G answers a prompt, N = B G answers, L tokens of an answer at most, V vocabulary.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from zoo.bounds import Bound, NotNegative, Positive
from zoo.errors import UserError
from zoo.registry import TASKS
from zoo.tasks.base import Baseline, Batch, PreviewWriter, StepOutput, context_of
from zoo.tasks.examples import reinforce
from zoo.tasks.options import RanksOptions
from zoo.tasks.plots.pass_rates import pass_rate_plots
from zoo.tasks.prompt import encode_prompt
from zoo.tasks.rewards import Questions, Rewarder, answers_table, leave_one_out
from zoo.tasks.rollouts import (
    Rollouts,
    log_probabilities,
    own_draws,
    roll_out,
    starting_policy,
    unwrapped,
    without_dropout,
)

TRIED = 2048  # answers of the starting policy, of which one at least has to be rewarded
PREVIEWED, LISTED = 128, 8  # prompts of a picture, and of a table


@TASKS.register("reinforce", model="gpt", example=reinforce, floor=-0.9, independent=True)
class Reinforce(RanksOptions):
    """Policy gradient of the expected reward. The loss is minus the reward, penalty included.

    Args:
        tokenizer: Ids to text and back.
        eot_id: The token that ends an answer.
        template: The text around a prompt (`{prompt}`).
        chat: Messages to ids, where the data has conversations.
        verifier: Prompt and answer to a reward of 0 to 1; None where the data's response is right.
        teacher: The starting policy, where the model is not an adapted one.
        group: G.
        max_tokens: L, the token that ends an answer included.
        kl: Penalty for each nat by which an answer is more probable than at the start.
    """

    monitor = "exact_match"
    compares_with_start = True  # zoo/teacher.py

    def __init__(
        self,
        tokenizer: Any,
        eot_id: int | None = None,
        template: str | None = None,
        verifier: Callable[[str, str], float] | None = None,
        teacher: nn.Module | None = None,
        group: Annotated[int, Bound(least=2)] = 8,
        max_tokens: Positive = 16,
        kl: NotNegative = 0.0,
        chat: Any = None,
    ) -> None:
        if eot_id is None:
            raise UserError(
                "task=reinforce needs answers that end, and these texts have no token for it; "
                "take data=sums, or prompts and responses of your own: data=sft"
            )
        self.tokenizer, self.template, self.chat = tokenizer, template, chat
        self.eot_id = self.end = eot_id
        self.rewarder, self.teacher = Rewarder(tokenizer, verifier), teacher
        self.group, self.max_tokens, self.kl = group, max_tokens, kl
        self.usual: list[int] | None = None  # the trivial answer
        self.succeeds = False  # whether an answer was ever rewarded

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over the prompts of `input` (B, T), whose answers `scored` marks, bool (B, T - 1).

        Training samples G answers a prompt from the random numbers of the run. Evaluation takes the
        greedy answer (`exact_match`), and one sample by random numbers that follow from the
        prompt (`reward`, `kl`, `length`).
        """
        policy, questions = unwrapped(model), self._questions(batch)
        with without_dropout(policy) as training:
            if training:
                return self._train(model, policy, questions)
            return self._evaluate(policy, questions)

    def test_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """As `step`, and the exact matches of the starting policy."""
        output, questions = self.step(model, batch), self._questions(batch)
        with starting_policy(model, self.teacher) as start:
            if start is not None:
                right = self.rewarder.rewards(questions, self._answer(start, questions, None)) >= 1
                output.sums["start_exact_match"] = right.sum()
        return output

    def _questions(self, batch: Batch) -> Questions:
        if "scored" not in batch:
            raise UserError(
                "task=reinforce needs prompts and responses, and these are running texts; take "
                "data=sums, or data=sft"
            )
        return Questions.of(batch)

    def _train(self, model: nn.Module, policy: nn.Module, questions: Questions) -> StepOutput:
        """The surrogate whose gradient is the policy's, with the value of minus the return."""
        draws, questions = self._draws(questions), questions.repeated(self.group)  # N of them
        rollouts = self._answer(policy, questions, draws)
        rewards = self.rewarder.rewards(questions, rollouts)
        if not self.succeeds:
            self._must_succeed(policy, questions, rewards)
        log_p = log_probabilities(model, rollouts) if self.kl else None
        returns, sums = self._returns(policy, rollouts, rewards, log_p)
        advantage = leave_one_out(returns.view(-1, self.group)).flatten()
        if log_p is None:  # answers of groups that are all alike have no gradient
            rows = advantage.nonzero().flatten() if bool(advantage.any()) else [0]
            log_p, advantage = log_probabilities(model, rollouts, rows), advantage[rows]
        surrogate = -(advantage * log_p).sum()
        loss = surrogate - surrogate.detach() - returns.sum()
        return StepOutput(loss, torch.full((), len(rewards), device=loss.device), sums)

    def _evaluate(self, policy: nn.Module, questions: Questions) -> StepOutput:
        right = self.rewarder.rewards(questions, self._answer(policy, questions, None)) >= 1
        draws = own_draws(questions.prompts, self.max_tokens)
        rollouts = self._answer(policy, questions, draws)
        rewards = self.rewarder.rewards(questions, rollouts)
        log_p = log_probabilities(policy, rollouts)
        returns, sums = self._returns(policy, rollouts, rewards, log_p)
        sums["exact_match"] = right.sum()
        if self.usual is not None:
            ended, reward = len(self.usual) < self.max_tokens, self.rewarder.reward
            usual = [reward(p, self.usual, r) * ended for p, r in zip(*questions, strict=True)]
            rewards = torch.tensor(usual, device=returns.device)
            sums |= {"usual_reward": rewards.sum(), "usual_exact_match": (rewards >= 1).sum()}
        return StepOutput(-returns.sum(), torch.full((), len(returns), device=returns.device), sums)

    def _returns(
        self, policy: nn.Module, rollouts: Rollouts, rewards: Tensor, log_p: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Rewards less the penalty, (N,), and sums for the metrics; without `log_p` no penalty."""
        sums = {"reward": rewards.sum(), "length": rollouts.lengths.sum()}
        if log_p is None:
            return rewards, sums
        with torch.no_grad(), starting_policy(policy, self.teacher) as start:
            if start is None:
                if self.kl:
                    raise UserError(
                        f"task.kl={self.kl} needs the policy that training starts from: "
                        f"teacher.from=<the run of init.from>, or adapter=lora"
                    )
                return rewards, sums
            drift = log_p.detach() - log_probabilities(start, rollouts)
        return rewards - self.kl * drift, sums | {"kl": drift.sum()}

    def _draws(self, questions: Questions) -> Tensor:
        """Random numbers of the run, float64 (N, L): however a batch is cut, each prompt's own."""
        number = self.group * self.max_tokens
        draws = torch.rand(len(questions.prompts), number, dtype=torch.float64)
        return draws.view(-1, self.max_tokens)

    def _answer(self, model: nn.Module, questions: Questions, draws: Tensor | None) -> Rollouts:
        return roll_out(model, questions.prompts, self.end, self.max_tokens, draws)

    def _must_succeed(self, policy: nn.Module, questions: Questions, rewards: Tensor) -> None:
        """Check, in the first step, that the policy is rewarded now and then.

        Raises:
            UserError: It is not: all advantages would be 0.
        """
        # Random numbers of its own: a resumed run tries again, and goes on as if it had not.
        tried, generator = len(rewards), torch.Generator().manual_seed(0)
        size = len(questions.prompts), self.max_tokens
        while not bool(rewards.any()) and tried < TRIED:
            draws = torch.rand(size, dtype=torch.float64, generator=generator)
            rewards = self.rewarder.rewards(questions, self._answer(policy, questions, draws))
            tried += len(rewards)
        if not bool(rewards.any()):
            raise UserError(
                f"none of {tried:,} answers that the starting policy sampled was rewarded: there "
                f"is nothing to learn from; start with a model that is right now and then "
                f"(init.from=<a run of task=causal_lm on such data>), ask easier questions, or "
                f"raise task.max_tokens={self.max_tokens}, which counts the end of an answer too"
            )
        self.succeeds = True

    def baseline_counts(self, batch: Batch) -> Tensor:
        """How often each token stands at each place of the responses, int64 (L, V)."""
        counts = torch.zeros(self.max_tokens, self.tokenizer.vocab_size, dtype=torch.int64)
        for response in self._questions(batch).responses:
            for place, token in enumerate([*(response or ()), self.end][: len(counts)]):
                counts[place, token] += 1
        return counts

    def learn_baseline(self, counts: Tensor) -> None:
        """The answer of the likeliest token at each place, up to the first end."""
        likeliest = counts.argmax(1).tolist()
        self.usual = likeliest[: likeliest.index(self.end)] if self.end in likeliest else likeliest

    def baseline(self, means: dict[str, Tensor]) -> Baseline | None:
        """One answer to all questions: the likeliest token of the responses at each place."""
        if self.usual is None or "usual_reward" not in means:
            return None
        reward = float(means["usual_reward"])
        metrics = {"loss": 0.0 - reward, "reward": reward, "length": float(len(self.usual))}
        metrics["exact_match"] = float(means["usual_exact_match"])
        return Baseline(f"always '{self.tokenizer.decode(self.usual)}'", metrics)

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss, reward, length and, where the starting policy is at hand, the divergence from it in
        nats an answer; in evaluation exact matches, in the test those of the starting policy."""
        names = ("loss", "exact_match", "start_exact_match", "reward", "kl", "length")
        return {name: float(means[name]) for name in names if name in means}

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """No further metrics."""
        return {}

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """How many of a group's answers are rewarded, and some of them."""
        first = {name: column[:PREVIEWED] for name, column in batch.items()}
        questions = self._questions(first)
        greedy = self._answer(model, questions, None)
        right = self.rewarder.rewards(questions, greedy)
        groups = questions.repeated(self.group)
        rollouts = self._answer(model, groups, self._draws(questions))
        rewards = self.rewarder.rewards(groups, rollouts).view(-1, self.group)
        pass_rate_plots(rewards, writer)
        shown = questions.prompts[:LISTED], greedy.answers, rollouts.answers
        writer.text("answers", answers_table(self.tokenizer.decode, *shown, right, rewards))

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """The greedy answer to each prompt, and its reward where it can be told."""
        questions = Questions.of(batch)
        yield from self._rows(questions, self._answer(model, questions, None))

    def _rows(self, questions: Questions, rollouts: Rollouts) -> Iterator[dict[str, Any]]:
        answers = [{"answer": self.tokenizer.decode(answer)} for answer in rollouts.answers]
        if not self.rewarder.knows(questions):
            yield from answers
            return
        rewards = self.rewarder.rewards(questions, rollouts).tolist()
        yield from (row | {"reward": r} for row, r in zip(answers, rewards, strict=True))

    def respond(
        self,
        model: nn.Module,
        input: str,
        samples: int = 4,
        seed: int = 0,
        max_tokens: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The greedy answer to a prompt, then samples; each with its probability and reward.

        Args:
            model: The model, in evaluation mode.
            input: The prompt.
            samples: How many; 0 for the greedy answer alone.
            seed: Of the samples.
            max_tokens: Of an answer; the task's own if not given.

        Raises:
            UserError: An option out of range, a prompt that the tokenizer or the model refuses.
        """
        most = self.max_tokens if max_tokens is None else max_tokens
        for name, value, least in (
            ("samples", samples, 0),
            ("seed", seed, 0),
            ("max_tokens", most, 1),
        ):
            if value < least:
                raise UserError(f"{name}={value}: expected {least} or more")
        prompt = encode_prompt(self.tokenizer, self.template, input, context_of(model), self.chat)
        if not prompt:
            raise UserError("input is empty; expected a prompt")
        one, generator = Questions([prompt], [None]), torch.Generator().manual_seed(seed)
        draws = torch.rand((samples, most), generator=generator, dtype=torch.float64)
        for kind, number, numbers in (("greedy", 1, None), ("sample", samples, draws)):
            if not number:
                continue
            questions = one.repeated(number)
            rollouts = roll_out(model, questions.prompts, self.end, most, numbers)
            probabilities = log_probabilities(model, rollouts).exp().tolist()
            for row, probability in zip(self._rows(questions, rollouts), probabilities):
                yield {"chosen": kind} | row | {"probability": probability}
