"""The losses of preferences against their definition, the starting policy, what is refused."""

import copy
import math
import re

import pytest
import torch
from previews import Previews

from zoo.adapters.lora import lora
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError
from zoo.models.gpt import GPT
from zoo.tasks.dpo import DPO
from zoo.tasks.rollouts import starting_policy
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime

RUNTIME = Runtime(torch.device("cpu"))
TOKENIZER = train_tokenizer("char", ["abc"], specials=["<|endoftext|>"])
ROWS = [  # prompt, chosen and rejected answer, of several lengths; 0 ends them
    ([1], [1, 0], [2, 3, 0]),
    ([3, 2], [2, 2, 1, 0], [3, 0]),
    ([2, 2], [0], [1, 1, 0]),
]


def make(**options):
    return DPO(TOKENIZER.token_bytes(), TOKENIZER, 0, **options)


def policy(seed=0, dropout=0.0, noise=0.4):
    torch.manual_seed(seed)
    model = GPT(4, 8, width=8, depth=1, heads=2, dropout=dropout).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(noise * torch.randn_like(parameter))
    return model


def batch(rows=ROWS):
    tokens = torch.zeros(len(rows), 2, 7, dtype=torch.int64)
    scored = torch.zeros(len(rows), 2, 6, dtype=torch.bool)
    for k, (prompt, *answers) in enumerate(rows):
        for j, answer in enumerate(answers):
            row = [*prompt, *answer]
            tokens[k, j, : len(row)] = torch.tensor(row)
            scored[k, j, len(prompt) - 1 : len(row) - 1] = True
    return {"input": tokens, "scored": scored}


def log_p(model, prompt, answer):
    """Log-probability of an answer, token by token, without padding."""
    tokens, total = [*prompt, *answer], 0.0
    for k in range(len(prompt), len(tokens)):
        total = total + model(torch.tensor([tokens[:k]]))[0, -1].log_softmax(-1)[tokens[k]]
    return total


def by_the_paper(model, start, loss, beta, smoothing):
    """Loss, rewards and right orders of the rows, one at a time."""
    total, rewards = 0.0, []
    for prompt, *answers in ROWS:
        ratios = []
        for answer in answers:
            ratio = log_p(model, prompt, answer) - log_p(start, prompt, answer).detach()
            ratios.append(ratio / len(answer) if loss == "ipo" else ratio)
        difference = ratios[0] - ratios[1]
        if loss == "ipo":
            total = total + (difference - 1 / (2 * beta)) ** 2
        else:
            right, wrong = (1 / (1 + torch.exp(-sign * beta * difference)) for sign in (1, -1))
            total = total - (1 - smoothing) * right.log() - smoothing * wrong.log()
        rewards.append([beta * float(ratio.detach()) for ratio in ratios])
    return total, torch.tensor(rewards)


@pytest.mark.parametrize(
    ("loss", "beta", "smoothing"),
    [("dpo", 0.1, 0.0), ("dpo", 0.7, 0.2), ("ipo", 0.3, 0.0)],
)
def test_loss_and_gradient_are_those_of_the_papers(loss, beta, smoothing):
    model, start = policy(dropout=0.5).train(), policy(seed=3).eval()
    task = make(teacher=start, beta=beta, label_smoothing=smoothing, loss=loss)
    output = task.step(model, batch())
    assert model.training and output.count == 3
    actual = torch.autograd.grad(output.loss_sum, list(model.parameters()))
    total, rewards = by_the_paper(model.eval(), start, loss, beta, smoothing)
    expected = torch.autograd.grad(total, list(model.parameters()))
    torch.testing.assert_close(output.loss_sum, total, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(actual, expected, rtol=1e-8, atol=1e-10)
    sums = output.sums
    assert float(sums["chosen_reward"]) == pytest.approx(float(rewards[:, 0].sum()), rel=1e-6)
    assert float(sums["rejected_reward"]) == pytest.approx(float(rewards[:, 1].sum()), rel=1e-6)
    assert float(sums["margin"]) == pytest.approx(float((rewards[:, 0] - rewards[:, 1]).sum()))
    assert sums["accuracy"] == (rewards[:, 0] > rewards[:, 1]).sum()


def test_the_chosen_answers_own_loss_is_added():
    model, start = policy().train(), policy(seed=3).eval()
    plain = make(teacher=start).step(model, batch())
    both = make(teacher=start, likelihood=0.5).step(model, batch())
    nats = sum(-log_p(model, prompt, chosen) / len(chosen) for prompt, chosen, _ in ROWS)
    torch.testing.assert_close(both.loss_sum, plain.loss_sum + 0.5 * nats)
    torch.testing.assert_close(both.sums["loss"], plain.loss_sum.detach())


def test_a_batch_that_is_cut_has_the_same_loss():
    task, model = make(teacher=policy(seed=3).eval()), policy().train()
    whole = task.step(model, batch())
    halves = [task.step(model, batch(rows)) for rows in (ROWS[:1], ROWS[1:])]
    torch.testing.assert_close(whole.loss_sum, halves[0].loss_sum + halves[1].loss_sum)


def test_without_a_teacher_it_starts_from_the_model_without_its_adapter():
    base = policy()
    model = copy.deepcopy(base)
    lora(model, rank=2, targets=["qkv", "down"])
    model = model.double().train()
    task = make()
    output = task.step(model, batch())
    assert float(output.loss_sum.detach()) == pytest.approx(3 * math.log(2))
    assert output.sums["margin"] == 0
    assert output.sums["accuracy"] == 1.5  # of 3: it prefers neither answer
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_b" in name:
                parameter.normal_()
    alone = task.step(model, batch())
    with_teacher = make(teacher=base.eval()).step(model, batch())
    assert abs(float(alone.sums["margin"])) > 1e-3
    torch.testing.assert_close(alone.loss_sum, with_teacher.loss_sum, rtol=1e-10, atol=0)
    with starting_policy(model, None) as start:
        torch.testing.assert_close(start(batch()["input"][:, 0]), base(batch()["input"][:, 0]))


def test_an_evaluation_says_how_far_the_model_has_gone():
    model, start = policy().eval(), policy(seed=3).eval()
    task = make(teacher=start)
    means = evaluate(model, task, [batch()], Precision("fp32", RUNTIME.device), RUNTIME)
    metrics = task.summarize(means)
    nats, start_nats, kl, tokens = 0.0, 0.0, 0.0, 0
    with torch.no_grad():
        for prompt, answer, _ in ROWS:
            nats -= float(log_p(model, prompt, answer))
            start_nats -= float(log_p(start, prompt, answer))
            tokens += len(answer)
            for k in range(len(answer)):
                read = torch.tensor([[*prompt, *answer[:k]]])
                p, q = (m(read)[0, -1].softmax(-1) for m in (model, start))
                kl += float((p * (p / q).log()).sum())
    assert metrics["perplexity"] == pytest.approx(math.exp(nats / tokens), rel=1e-5)
    assert metrics["start_perplexity"] == pytest.approx(math.exp(start_nats / tokens), rel=1e-5)
    assert metrics["kl"] == pytest.approx(kl / tokens, rel=1e-4)
    baseline = task.baseline(means)
    assert baseline.name == "starting policy" and set(baseline.metrics) == set(metrics)
    assert baseline.metrics["perplexity"] == metrics["start_perplexity"]
    assert baseline.metrics["loss"] == pytest.approx(math.log(2))


def test_a_test_counts_the_answers_that_the_verifier_accepts():
    def verify(prompt, answer):
        return float(answer.startswith(prompt[-1]))

    model = policy().eval()
    bold = copy.deepcopy(model)
    with torch.no_grad():  # certain to say "a", and then to end
        bold.head.weight.zero_()
    task = make(teacher=bold, verifier=verify, max_tokens=3)
    test = evaluate(model, task, [batch()], Precision("fp32", RUNTIME.device), RUNTIME, final=True)
    metrics = task.summarize(test)
    assert {"accepted", "start_accepted"} <= metrics.keys()
    assert 0 <= metrics["accepted"] <= 1 and metrics["accepted"] * 3 == round(
        metrics["accepted"] * 3
    )
    same = make(teacher=model, verifier=verify, max_tokens=3).test_step(model, batch())
    assert same.sums["accepted"] == same.sums["start_accepted"] == 3 * metrics["accepted"]
    assert task.baseline(test).metrics["accepted"] == metrics["start_accepted"]


def test_texts_without_pairs_are_evaluated_and_not_trained_on():
    task, model = make(teacher=policy(seed=3).eval()), policy().eval()
    plain = {name: column[:, 0] for name, column in batch().items()}
    means = evaluate(model, task, [plain], Precision("fp32", RUNTIME.device), RUNTIME)
    pairs = evaluate(model, task, [batch()], Precision("fp32", RUNTIME.device), RUNTIME)
    metrics = task.summarize(means)
    assert metrics["perplexity"] == pytest.approx(task.summarize(pairs)["perplexity"], rel=1e-5)
    assert "margin" not in metrics and "bits_per_byte" in metrics
    with pytest.raises(UserError, match="two answers to each prompt"):
        task.step(model.train(), plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 0.0}, "task.beta=0.0: expected a number above 0"),
        ({"beta": float("inf")}, "task.beta=inf"),
        ({"label_smoothing": 0.5}, "task.label_smoothing=0.5: expected 0 to below 0.5"),
        ({"label_smoothing": 0.1, "loss": "ipo"}, "task.label_smoothing is for task.loss=dpo"),
        ({"max_tokens": 0}, "task.max_tokens=0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        make(**options)


def test_it_needs_a_starting_policy():
    with pytest.raises(UserError, match="teacher.from=<the run of init.from>, or adapter=lora"):
        make().step(policy().train(), batch())


@pytest.mark.parametrize("loss", ["dpo", "ipo"])
def test_the_rewards_that_are_shown_are_those_that_are_counted(loss):
    task, model, writer = make(loss=loss, teacher=policy(0)), policy(1), Previews()
    sums = task.step(model.eval(), batch()).sums
    task.preview(model, batch(), {}, writer)
    shown = [float(x) for x in re.findall(r"\(([+-]\d+\.\d+)\)", writer.texts["answers"])]
    assert len(shown) == 2 * len(ROWS)
    for name, column in (("chosen_reward", shown[::2]), ("rejected_reward", shown[1::2])):
        assert sum(column) == pytest.approx(float(sums[name]), abs=0.02)
