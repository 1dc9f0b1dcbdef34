"""Answers that are sampled, and their log-probabilities."""

import copy

import pytest
import torch

from zoo.adapters.lora import lora
from zoo.inference.generation import Sampling, generate
from zoo.models.gpt import GPT
from zoo.models.llama import Llama
from zoo.tasks.rollouts import (
    log_probabilities,
    own_draws,
    roll_out,
    starting_policy,
    unwrapped,
    without_dropout,
)

PROMPTS = [[1, 2], [3], [2, 2], [4]]  # two lengths


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = GPT(6, 8, width=8, depth=1, heads=2).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def test_rows_are_prompts_with_their_answers_and_ends(model):
    draws = own_draws(PROMPTS * 8, 4)
    rollouts = roll_out(model, PROMPTS * 8, 0, 4, draws)
    assert len(set(rollouts.ended)) == 2  # some came to their end, some did not
    for k, prompt in enumerate(PROMPTS * 8):
        answer, ended = rollouts.answers[k], rollouts.ended[k]
        row = [*prompt, *answer, *([0] if ended else [])]
        assert rollouts.tokens[k, : len(row)].tolist() == row and 0 not in answer
        assert ended == (len(answer) < 4) and rollouts.lengths[k] == len(answer)
        places = rollouts.sampled[k].nonzero()[:, 0] + 1
        assert places.tolist() == list(range(len(prompt), len(row)))


def test_an_answer_is_drawn_by_its_own_numbers(model):
    draws = own_draws(PROMPTS, 4)
    together = roll_out(model, PROMPTS, 0, 4, draws)
    for k, prompt in enumerate(PROMPTS):
        alone = roll_out(model, [prompt], 0, 4, own_draws([prompt], 4))
        assert alone.answers[0] == together.answers[k]
    draws = own_draws(PROMPTS, 20)  # more than the context has room for
    together = roll_out(model, PROMPTS, 5, 20, draws)
    for k, prompt in enumerate(PROMPTS):
        alone = roll_out(model, [prompt], 5, 20, draws[k : k + 1])
        assert (alone.answers[0], alone.ended[0]) == (together.answers[k], together.ended[k])
    assert len(set(map(tuple, draws.tolist()))) == len(PROMPTS)


def test_without_numbers_it_is_greedy_and_the_context_is_not_left(model):
    rollouts = roll_out(model, PROMPTS, 0, 50, None)
    steps = list(generate(model, PROMPTS, 8, Sampling(temperature=0), [0]))
    for k, text in enumerate(zip(*steps, strict=True)):
        room = 9 - len(PROMPTS[k])  # that of this prompt, whatever others are in the batch
        assert rollouts.answers[k] == [token for token in text[:room] if token is not None]
    assert rollouts.tokens.shape[1] <= 9


def test_log_probabilities_equal_a_loop(model):
    rollouts = roll_out(model, PROMPTS, 0, 4, own_draws(PROMPTS, 4))
    with torch.no_grad():
        actual = log_probabilities(model, rollouts)
        for k, prompt in enumerate(PROMPTS):
            row = [*prompt, *rollouts.answers[k], *([0] if rollouts.ended[k] else [])]
            share = model(torch.tensor([row[:-1]]))[0].log_softmax(-1)
            expected = sum(
                float(share[i, row[i + 1]]) for i in range(len(prompt) - 1, len(row) - 1)
            )
            assert float(actual[k]) == pytest.approx(expected, rel=1e-5)


def test_auxiliary_losses_of_a_policy_are_refused_in_training():
    """They come about in training mode, and a policy is trained in evaluation mode."""
    mixture = {"experts": 2, "active": 1, "inner": 8, "balance": "loss"}
    policy = Llama(6, 8, width=8, depth=1, heads=2, mixture=mixture)
    with (
        pytest.raises(ValueError, match="balance=loss is for task=causal_lm"),
        without_dropout(policy.train()),
    ):
        pass
    with without_dropout(policy.eval()) as training:
        assert not training


def test_the_starting_policy_and_models_in_wrappers(model):
    adapted = lora(copy.deepcopy(model), rank=2)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            parameter.add_("lora_b" in name)
    tokens = torch.tensor(PROMPTS[0])[None]
    before = adapted(tokens)
    with starting_policy(adapted, None) as start:
        torch.testing.assert_close(start(tokens), model(tokens))
    assert torch.equal(adapted(tokens), before) and not torch.allclose(before, model(tokens))
    with starting_policy(adapted, model) as start:
        assert start is model and torch.equal(adapted(tokens), before)
    with starting_policy(model, None) as start:
        assert start is None
    held = torch.nn.Module()
    held.module = torch.nn.Module()
    held.module._orig_mod = model
    assert unwrapped(held) is model and unwrapped(model) is model
