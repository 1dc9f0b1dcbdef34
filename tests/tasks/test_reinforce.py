"""The policy gradient against its definition, the starting policy, what is refused."""

import copy

import pytest
import torch
from torch import nn

from zoo.adapters.lora import lora
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError
from zoo.models.gpt import GPT
from zoo.models.rnn import RNN
from zoo.tasks.reinforce import Reinforce
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime

RUNTIME = Runtime(torch.device("cpu"))
TOKENIZER = train_tokenizer("char", ["abc"], specials=["<|endoftext|>"])
LETTERS = 4  # with the end


def same_letter(prompt, answer):
    return float(answer.startswith(prompt[-1]))


def make(verifier=same_letter, **options):
    options = {"group": 8, "max_tokens": 3} | options
    return Reinforce(TOKENIZER, 0, verifier=verifier, **options)


def policy(seed=0, dropout=0.0):
    """Its probabilities are unequal, and none is tiny."""
    torch.manual_seed(seed)
    model = GPT(LETTERS, 8, width=8, depth=1, heads=2, dropout=dropout)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.train()


class Talkative(GPT):
    """Never ends."""

    def __init__(self):
        super().__init__(LETTERS, 8, width=8, depth=1, heads=2)

    def forward(self, *args, **options):
        logits = super().forward(*args, **options)
        return logits.index_fill(-1, torch.tensor(0), -1e9)


def batch():
    """Prompts of one and two letters, each answered by its last: `a` a, `cb` b, ..."""
    rows = [[1, 1, 0, 0], [3, 2, 2, 0], [2, 2, 0, 0], [1, 2, 2, 0]]
    scored = [[True, True, False], [False, True, True]] * 2
    return {"input": torch.tensor(rows), "scored": torch.tensor(scored)}


def gradients(model):
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def step(task, model, batch, seed=1):
    """The output of a training step and its gradients."""
    model.zero_grad(set_to_none=True)
    torch.manual_seed(seed)
    output = task.step(model, batch)
    output.loss_sum.backward()
    found = gradients(model)
    assert sum(float(gradient.abs().sum()) for gradient in found.values()) > 0.1
    return output, found


def log_p(model, prompt, answer, end):
    """Log-probability of an answer, token by token."""
    tokens = [*prompt, *answer, *([0] if end else [])]
    total = 0
    for k in range(len(prompt), len(tokens)):
        total = total + model(torch.tensor([tokens[:k]]))[0, -1].log_softmax(-1)[tokens[k]]
    return total


def sampled(task, model, prompt, draws):
    """Answers by the inverse of the distribution function, token by token, and their rewards."""
    answers = []
    for row in draws.view(-1, task.max_tokens).tolist():
        tokens = []
        for number in row:
            with torch.no_grad():
                share = model(torch.tensor([[*prompt, *tokens]]))[0, -1].double().softmax(-1)
            token = int((share.cumsum(0) <= number).sum())
            if token == 0:
                break
            tokens.append(token)
        ended = len(tokens) < task.max_tokens
        reward = ended * same_letter(TOKENIZER.decode(prompt), TOKENIZER.decode(tokens))
        answers.append((tokens, ended, reward))
    return answers


@pytest.mark.parametrize("kl", [0.0, 0.4])
def test_the_gradient_is_that_of_the_paper(kl):
    model, start = policy(dropout=0.5), policy(seed=3).eval()
    task = make(kl=kl, teacher=start)
    output, actual = step(task, model, batch())
    torch.manual_seed(1)
    draws = torch.rand(4, 8 * 3, dtype=torch.float64)
    model.eval()  # the policy that is judged has no dropout
    model.zero_grad(set_to_none=True)
    total = returned = length = 0.0
    for prompt, own in zip([[1], [3, 2], [2], [1, 2]], draws, strict=True):
        answers = sampled(task, model, prompt, own)
        ours = [log_p(model, prompt, tokens, ended) for tokens, ended, _ in answers]
        theirs = [log_p(start, prompt, tokens, ended).detach() for tokens, ended, _ in answers]
        worth = [
            a[2] - kl * float(p.detach() - q) for a, p, q in zip(answers, ours, theirs, strict=True)
        ]
        for k, p in enumerate(ours):
            others = [w for j, w in enumerate(worth) if j != k]
            total = total - (worth[k] - sum(others) / len(others)) * p
        returned += sum(worth)
        length += sum(len(tokens) for tokens, _, _ in answers)
    total.backward()
    expected = gradients(model)
    assert actual.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(actual[name], gradient, rtol=1e-3, atol=1e-5)
    assert output.count == 32 and output.sums["length"] == length
    assert float(output.loss_sum.detach()) == pytest.approx(-returned, rel=1e-4)


def test_it_estimates_the_gradient_of_the_expected_reward():
    model = policy()
    task = make(group=4000, max_tokens=2)
    one = {name: column[:1] for name, column in batch().items()}
    output, actual = step(task, model, one)
    model.zero_grad(set_to_none=True)
    right = log_p(model.eval(), [1], [1], True).exp()  # of the only answer that ends in time
    (-right).backward()
    expected = gradients(model)
    flat, true = (torch.cat([g[n].flatten() for n in expected]) for g in (actual, expected))
    assert torch.cosine_similarity(flat / 4000, true, dim=0) > 0.99
    assert float(flat.norm() / 4000) == pytest.approx(float(true.norm()), rel=0.1)
    reward = float(output.sums["reward"] / output.count)
    assert reward == pytest.approx(float(right.detach()), abs=0.03)


def test_a_batch_that_is_cut_has_the_same_gradient():
    model, task = policy(), make()
    whole, expected = step(task, model, batch())
    model.zero_grad(set_to_none=True)
    torch.manual_seed(1)
    parts = [{name: column[k : k + 2] for name, column in batch().items()} for k in (0, 2)]
    outputs = [task.step(model, part) for part in parts]
    sum(output.loss_sum for output in outputs).backward()
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6)
    assert sum(o.sums["reward"] for o in outputs) == whole.sums["reward"]


def test_under_autocast_every_weight_still_has_its_gradient():
    """Weights that sampling casts without gradients must not be kept for the step."""
    model, task = policy(), make()
    _, expected = step(task, model, batch())
    model.zero_grad(set_to_none=True)
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = task.step(model, batch())
    output.loss_sum.backward()
    for name, gradient in gradients(model).items():
        assert torch.cosine_similarity(gradient.flatten(), expected[name].flatten(), 0) > 0.98


def test_recurrent_models_and_wrapped_ones_are_policies_too():
    torch.manual_seed(0)
    model, task = RNN(LETTERS, width=8, depth=1).train(), make()
    _, expected = step(task, model, batch())
    held = nn.Module()  # as DistributedDataParallel holds the model
    held.module, held.forward = model, model.forward
    model.zero_grad(set_to_none=True)
    torch.manual_seed(1)
    task.step(held, batch()).loss_sum.backward()
    assert model.training
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, expected[name])


def evaluated(task, model, cuts):
    whole, parts, start = batch(), [], 0
    for size in cuts:
        parts.append({name: column[start : start + size] for name, column in whole.items()})
        start += size
    precision = Precision("fp32", RUNTIME.device)
    return task.summarize(evaluate(model, task, parts, precision, RUNTIME, final=True))


def test_evaluation_does_not_depend_on_how_the_split_is_cut():
    model, start = policy(), policy(seed=3).eval()
    task = make(teacher=start)
    task.learn_baseline(task.baseline_counts(batch()))
    figures = [evaluated(task, model, cuts) for cuts in ((4,), (1, 3), (2, 1, 1))]
    assert figures[0] == pytest.approx(figures[1]) and figures[0] == pytest.approx(figures[2])
    names = ["loss", "exact_match", "start_exact_match", "reward", "kl", "length"]
    assert list(figures[0]) == names
    assert evaluated(make(teacher=model), model, (4,))["kl"] == 0


def test_the_trivial_answer_is_the_usual_letter_at_each_place():
    task, model = make(max_tokens=2), policy()
    task.learn_baseline(task.baseline_counts(batch()))  # b, and then the end
    with torch.no_grad():
        output = task.step(model.eval(), batch())
    means = {name: value / 4 for name, value in output.sums.items()} | {"loss": torch.tensor(0)}
    baseline = task.baseline(means)
    assert baseline.name == "always 'b'" and baseline.metrics["exact_match"] == 0.75
    assert baseline.metrics["loss"] == -0.75 and baseline.metrics["length"] == 1


def test_the_trivial_answer_has_no_more_room_than_the_policy():
    """An answer of `max_tokens` letters has not ended, and earns nothing."""
    task = make(max_tokens=1)
    task.learn_baseline(task.baseline_counts(batch()))
    with torch.no_grad():
        output = task.step(policy().eval(), batch())
    assert output.sums["usual_exact_match"] == output.sums["exact_match"] == 0


def test_an_adapter_switched_off_is_the_starting_policy():
    base = policy().eval()
    model = lora(copy.deepcopy(base), rank=2, targets=["qkv", "up", "head", "embedding"])
    task = make(kl=0.1)
    assert float(step(task, model.train(), batch())[0].sums["kl"]) == 0
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("lora_b"):
                parameter.normal_(std=0.3)
    by_adapter, ours = step(task, model, batch())
    by_teacher, same = step(make(kl=0.1, teacher=base), model, batch())
    assert float(by_adapter.sums["kl"]) == pytest.approx(float(by_teacher.sums["kl"]), rel=1e-5)
    assert abs(float(by_adapter.sums["kl"])) > 0.1
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, same[name])


def test_without_a_verifier_the_response_itself_is_right():
    exact = make(group=32, verifier=lambda prompt, answer: answer == prompt[-1])
    tasks = (make(group=32, verifier=None), exact)
    rewards = [float(step(task, policy(), batch())[0].sums["reward"]) for task in tasks]
    assert rewards[0] == rewards[1] > 0


def test_answers_that_never_come_to_their_end_are_worth_nothing():
    task = make(verifier=lambda prompt, answer: 1.0, max_tokens=1)
    with pytest.raises(UserError, match="none of 2,048 answers .* raise task.max_tokens=1"):
        task.step(Talkative(), batch())


def test_what_cannot_be_done_is_one_line(mistake):
    with pytest.raises(UserError, match="teacher.from=.* or adapter=lora"):
        make(kl=0.1).step(policy(), batch())
    common = ("model=gpt", "model.width=8", "model.depth=1", "model.heads=2", "task=reinforce")
    small = ("data=sums", "data.size=200", "trainer.max_steps=2", "task.max_tokens=3")
    for option, expected in (
        ("task.group=1", "expected 2 or more"),
        ("task.max_tokens=0", "expected 1 or more"),
        ("task.kl=-1.0", "expected 0 or more"),
    ):
        said = mistake(*common, *small, option)
        assert option.partition("=")[0] in said and expected in said
    said = mistake(*common, *small, "data.largest=1000", "data.operations=*")
    assert "none of 2,048 answers" in said and "init.from=" in said
    with pytest.raises(UserError, match="these are running texts"):
        make().step(policy(), {"input": batch()["input"]})
    with pytest.raises(UserError, match="no token for it; take data=sums"):
        Reinforce(TOKENIZER)


def test_answers_to_a_prompt():
    task, model = make(), policy().eval()
    with torch.no_grad():
        rows = list(task.respond(model, "ca", samples=3, seed=5))
        assert list(task.respond(model, "ca", samples=3, seed=5)) == rows
        assert [row["chosen"] for row in rows] == ["greedy", "sample", "sample", "sample"]
        for row in rows:
            ids = TOKENIZER.encode(row["answer"]).tolist()
            share = log_p(model, [3, 1], ids, len(ids) < 3).exp()
            assert row["probability"] == pytest.approx(float(share), rel=1e-4)
            assert row["reward"] == (row["answer"][:1] == "a" and len(ids) < 3)
        assert "reward" not in next(make(verifier=None).respond(model, "ca", samples=0))
        for options, said in (({"samples": -1}, "samples=-1"), ({"seed": -1}, "seed=-1")):
            with pytest.raises(UserError, match=said):
                next(task.respond(model, "ca", **options))
        with pytest.raises(UserError, match="input is empty"):
            next(task.respond(model, ""))


def test_a_search_for_rewards_takes_no_random_numbers_of_the_run():
    """A resumed run searches again, and one that was not interrupted does not."""

    def after(task):
        model = policy()
        torch.manual_seed(1)
        task.step(model, batch())
        return torch.rand(3)

    asked = []
    task = make(verifier=lambda *pair: float(len(asked) > 40 or asked.append(pair) is not None))
    assert torch.equal(after(task), after(task)) and len(asked) == 41
