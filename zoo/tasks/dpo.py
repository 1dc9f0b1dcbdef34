"""Direct preference optimisation: the better of two answers becomes more probable than the worse.

Rafailov et al., 2023, https://arxiv.org/abs/2305.18290: the policy itself is the reward model,
r(x, y) = beta log(p(y | x) / p_start(y | x)), and is fitted to preferences by logistic regression:

    loss = -log sigmoid(r(x, chosen) - r(x, rejected))

With label smoothing e (Mitchell, 2023, https://ericmitchell.ai/cdpo.pdf) each preference is taken
to be the wrong way round with probability e: -(1 - e) log sigmoid(m) - e log sigmoid(-m), m the
margin. `loss=ipo` (Azar et al., 2023, https://arxiv.org/abs/2310.12036, equation 17) draws the
difference of the log-ratios to 1 / (2 beta) instead, where the logistic loss has no end; as in its
authors' experiments, of means over the tokens of an answer, so that long answers are no farther
apart than short ones. The loss of preferences alone may make both answers less probable, so long as
the rejected one loses more; `likelihood` is the weight of the chosen answer's own cross-entropy in
nats a token, which is added (Pang et al., 2024, https://arxiv.org/abs/2404.19733, equation 1).
Differs from the paper: no dropout in training, so that both policies are what they are in use.
Shapes: B prompts, N = 2 B answers, T tokens, V vocabulary.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.bounds import NotNegative
from zoo.errors import UserError
from zoo.registry import TASKS
from zoo.tasks.base import Baseline, Batch, PreviewWriter, StepOutput, to_float64
from zoo.tasks.causal_lm import CausalLM
from zoo.tasks.examples import preferences
from zoo.tasks.markdown import table
from zoo.tasks.plots.preferences import reward_plots
from zoo.tasks.rewards import Questions, Rewarder
from zoo.tasks.rollouts import (
    log_probabilities_of,
    own_draws,
    roll_out,
    starting_policy,
    unwrapped,
    without_dropout,
)

LISTED = 8  # prompts of a table


@TASKS.register("dpo", model="gpt", example=preferences, floor=0.2, independent=True)
class DPO(CausalLM):
    """The loss of pairs of answers; how often the better one has the higher reward, the margin, the
    divergence from the starting policy, and the perplexity of the better answers.

    Args:
        token_bytes, tokenizer, eot_id, template, chat: As in `CausalLM`.
        verifier: A function of a prompt and an answer to a reward from 0 to 1, where answers can be
            checked: a test then says how many of the model's own are right (`accepted`).
        teacher: The starting policy, where the model is not an adapted one.
        beta: How much a nat of log-ratio is worth: the smaller, the farther from the start.
        label_smoothing: Probability e that a preference is the wrong way round.
        loss: `dpo` or `ipo`.
        likelihood: Weight of the chosen answer's own cross-entropy.
        max_tokens: Of an answer that a test samples, its end included.
    """

    monitor = "-loss"
    predicts_as = "causal_lm"  # for exports
    compares_with_start = True  # zoo/teacher.py

    def __init__(
        self,
        token_bytes: list[int],
        tokenizer: Any,
        eot_id: int | None = None,
        template: str | None = None,
        verifier: Callable[[str, str], float] | None = None,
        teacher: nn.Module | None = None,
        beta: float = 0.1,
        label_smoothing: float = 0.0,
        loss: Literal["dpo", "ipo"] = "dpo",
        likelihood: NotNegative = 0.0,
        max_tokens: int = 128,
        chat: Any = None,
    ) -> None:
        super().__init__(token_bytes, tokenizer, eot_id, template, chat)
        if not 0 < beta < math.inf:
            raise UserError(f"task.beta={beta}: expected a number above 0")
        if not 0 <= label_smoothing < 0.5:
            raise UserError(f"task.label_smoothing={label_smoothing}: expected 0 to below 0.5")
        if label_smoothing and loss == "ipo":
            raise UserError("task.label_smoothing is for task.loss=dpo; leave one of them out")
        if max_tokens < 1:
            raise UserError(f"task.max_tokens={max_tokens}: expected 1 or more")
        self.teacher, self.verifier, self.max_tokens = teacher, verifier, max_tokens
        self.beta, self.label_smoothing, self.loss = beta, label_smoothing, loss
        self.likelihood = likelihood

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over the pairs of `input` (B, 2, T), chosen and rejected, whose answers `scored`
        marks, bool (B, 2, T - 1). Texts without pairs, (B, T), are evaluated as by `CausalLM`."""
        if batch["input"].ndim == 2:
            return self._without_pairs(model, batch)
        policy = unwrapped(model)
        with without_dropout(policy) as training:
            return self._pairs(model, policy, batch, training)

    def _pairs(
        self, model: nn.Module, policy: nn.Module, batch: Batch, training: bool
    ) -> StepOutput:
        tokens, scored = batch["input"].flatten(0, 1), batch["scored"].flatten(0, 1)  # (N, T)
        target = tokens[:, 1:]
        with torch.no_grad(), self._start(policy) as start:
            start_logits = start(tokens[:, :-1])  # (N, T - 1, V)
            start_log_p = log_probabilities_of(start_logits, target, scored)
        logits = model(tokens[:, :-1])
        log_p = log_probabilities_of(logits, target, scored)
        chosen, rejected = self._ratios(log_p - start_log_p, scored).T
        preference = loss = self.losses(chosen - rejected).sum()
        if self.likelihood:
            nats = -(log_p / scored.sum(1)).view(-1, 2)[:, 0]  # a token, (B,)
            loss = loss + self.likelihood * nats.sum()
        with torch.no_grad():
            sums = {
                "loss": preference.detach(),
                "accuracy": ((chosen - rejected).sign() + 1).sum() / 2,  # equal rewards: half
                "margin": self.beta * (chosen - rejected).sum(),
                "chosen_reward": self.beta * chosen.sum(),
                "rejected_reward": self.beta * rejected.sum(),
            }
            if not training:
                better = slice(None, None, 2)  # of the N answers
                sums |= _evaluation_sums(
                    logits[better], start_logits[better], target[better], scored[better]
                )
        return StepOutput(loss, torch.full((), len(chosen), device=loss.device), sums)

    def _ratios(self, ratio: Tensor, scored: Tensor) -> Tensor:
        """Log-ratios of both answers, (B, 2), from those of all tokens (N,): for `ipo` the mean."""
        return (ratio / scored.sum(1) if self.loss == "ipo" else ratio).view(-1, 2)

    def losses(self, difference: Tensor) -> Tensor:
        """Of each pair, by the difference of its log-ratios (B,)."""
        if self.loss == "ipo":
            return (difference - 1 / (2 * self.beta)).square()
        margin, smoothing = self.beta * difference, self.label_smoothing
        return -(1 - smoothing) * F.logsigmoid(margin) - smoothing * F.logsigmoid(-margin)

    def _start(self, policy: nn.Module) -> Any:
        """The starting policy, for a `with` statement.

        Raises:
            UserError: There is none.
        """
        has_adapter = any(hasattr(module, "adapter_on") for module in policy.modules())
        if self.teacher is None and not has_adapter:
            raise UserError(
                "task=dpo needs the policy that training starts from: teacher.from=<the run of "
                "init.from>, or adapter=lora"
            )
        return starting_policy(policy, self.teacher)

    def _without_pairs(self, model: nn.Module, batch: Batch) -> StepOutput:
        if model.training:
            raise UserError(
                "task=dpo needs two answers to each prompt, a better and a worse one; take "
                "data=preferences, or task=causal_lm"
            )
        return super().step(model, batch)

    def test_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """As `step`, and how many answers are right, of the model and of the starting policy."""
        output = self.step(model, batch)
        if self.verifier is None or "scored" not in batch or self.eot_id is None:
            return output
        prompts = Questions.of(_chosen(batch))
        with self._start(unwrapped(model)) as start:
            output.sums["start_accepted"] = self._accepted(start, prompts)
        output.sums["accepted"] = self._accepted(model, prompts)
        output.sums["answers"] = torch.full_like(output.count, len(prompts.prompts))
        return output

    def _accepted(self, model: nn.Module, questions: Questions) -> Tensor:
        """How many answers are right, one to each prompt, sampled by the same random numbers."""
        assert self.eot_id is not None
        draws = own_draws(questions.prompts, self.max_tokens)
        rollouts = roll_out(model, questions.prompts, self.eot_id, self.max_tokens, draws)
        rewarder = Rewarder(self.tokenizer, self.verifier)
        return (rewarder.rewards(questions, rollouts) >= 1).sum()

    def count(self, batch: Batch) -> Tensor:
        """How many pairs, or tokens of a text without, are evaluated."""
        if batch["input"].ndim == 2:
            return super().count(batch)
        return torch.tensor(len(batch["input"]))

    def baseline_counts(self, batch: Batch) -> Tensor:
        """How often each token stands in the better answers."""
        return super().baseline_counts(_chosen(batch))

    def baseline(self, means: dict[str, Tensor]) -> Baseline | None:
        """The starting policy, which prefers neither answer; as of `CausalLM` without pairs."""
        if "margin" not in means:
            return super().baseline(means)
        nothing = torch.zeros((), dtype=torch.float64)
        same = {"nats": "start_nats", "accepted": "start_accepted"}
        start = means | {name: means[other] for name, other in same.items() if other in means}
        start |= dict.fromkeys(("margin", "chosen_reward", "rejected_reward", "kl"), nothing)
        start |= {"loss": self.losses(nothing), "accuracy": nothing + 0.5}
        return Baseline("starting policy", self.summarize(start))

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss, accuracy, margin and rewards; in evaluation the perplexity of the better answers,
        that of the starting policy, and the divergence from it in nats a token."""
        if "margin" not in means:
            metrics = super().summarize(means)
        else:
            names = ("loss", "accuracy", "margin", "chosen_reward", "rejected_reward")
            metrics = {name: float(means[name]) for name in names}
        if "nats" in means:
            for name in ("nats", "start_nats"):
                nats = float(means[name] / means["tokens"])
                metrics[name.replace("nats", "perplexity")] = math.exp(min(nats, 700.0))
            metrics["kl"] = float(means["kl"] / means["tokens"])
        for name in ("accepted", "start_accepted"):
            if name in means:
                metrics[name] = float(means[name] / means["answers"])
        return metrics

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """The rewards of both answers, and some of the answers."""
        if batch["input"].ndim == 2:
            super().preview(model, batch, means, writer)
            return
        tokens, scored = batch["input"].flatten(0, 1), batch["scored"].flatten(0, 1)
        with self._start(model) as start:
            start_log_p = log_probabilities_of(start(tokens[:, :-1]), tokens[:, 1:], scored)
        log_p = log_probabilities_of(model(tokens[:, :-1]), tokens[:, 1:], scored)
        rewards = (self.beta * self._ratios(log_p - start_log_p, scored)).cpu()
        reward_plots(rewards, writer)
        decode, rows = self.tokenizer.decode, []
        for k in range(min(LISTED, len(rewards))):
            answers = [
                f"{decode(row[1:][marks].tolist())} ({reward:+.2f})"
                for row, marks, reward in zip(batch["input"][k], batch["scored"][k], rewards[k])
            ]
            start_of_answer = int(batch["scored"][k, 0].int().argmax()) + 1
            rows.append((decode(batch["input"][k, 0, :start_of_answer].tolist()), *answers))
        writer.text("answers", table(("prompt", "chosen (reward)", "rejected (reward)"), rows))


def _chosen(batch: Batch) -> Batch:
    """The better answers as a batch of plain texts; a batch of these as it is."""
    if batch["input"].ndim == 2:
        return batch
    return {name: batch[name][:, 0] for name in ("input", "scored")}


def _evaluation_sums(
    logits: Tensor, start_logits: Tensor, target: Tensor, scored: Tensor
) -> dict[str, Tensor]:
    """Of the better answers (B, T): nats by both policies, and the divergence between them."""
    log_p, start_log_p = logits.float().log_softmax(2), start_logits.float().log_softmax(2)
    kl = (log_p.exp() * (log_p - start_log_p)).sum(2)  # (B, T)
    nats, start_nats = (-p.gather(2, target[..., None])[..., 0] for p in (log_p, start_log_p))
    named = {"nats": nats, "start_nats": start_nats, "kl": kl}
    sums = {name: (to_float64(values) * scored).sum() for name, values in named.items()}
    return sums | {"tokens": scored.sum()}
