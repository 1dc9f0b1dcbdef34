"""Generation: with a cache and without, past the context, how tokens are chosen, by which seed."""

import pytest
import torch

from zoo.inference.generation import Sampling, choose, generate
from zoo.models.gpt import GPT
from zoo.models.rnn import RNN

GREEDY = Sampling(temperature=0)
PROMPTS = [[1, 2, 3], [4, 5, 6], [7], list(range(8))]  # unequal, one as long as the context


def perturbed(model, seed=0):
    """The model in float64 with logits far apart, so that it does not repeat one token."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
    return model.double().eval()


def make_gpt(positions="learned", **options):
    return perturbed(GPT(16, 8, width=32, depth=2, heads=4, positions=positions, **options))


MODELS = {
    "learned": make_gpt,
    "sinusoidal": lambda: make_gpt("sinusoidal"),
    "rotary": lambda: make_gpt("rotary", kv_heads=2, qk_norm=True, norm="rms"),
    "lstm": lambda: perturbed(RNN(16, "lstm", 32)),
    "gru": lambda: perturbed(RNN(16, "gru", 32)),
}


def continuations(model, prompts, number=30, sampling=GREEDY, **options):
    """The continuation of each prompt, a list of tokens."""
    steps = list(generate(model, prompts, number, sampling, **options))
    return [[token for token in text if token is not None] for text in zip(*steps, strict=True)]


def by_definition(model, prompt, number):
    """Greedy: read the window again for each token, halve it when it overflows."""
    window, written = list(prompt), []
    for _ in range(number):
        with torch.no_grad():
            written.append(int(model(torch.tensor([window]))[0, -1].argmax()))
        window.append(written[-1])
        if model.context is not None and len(window) > model.context:
            window = window[-(model.context // 2) :]
    return written


@pytest.mark.parametrize("name", MODELS)
def test_greedy_tokens_equal_the_definition_with_and_without_a_cache(name):
    model = MODELS[name]()
    expected = [by_definition(model, prompt, 30) for prompt in PROMPTS]
    assert continuations(model, PROMPTS) == expected
    assert continuations(model, PROMPTS, cached=False) == expected
    assert len({tuple(text) for text in expected}) > 1  # not one token for all


@pytest.mark.parametrize("name", ["rotary", "lstm"])
def test_sampled_tokens_are_the_same_with_and_without_a_cache(name):
    model, sampling = MODELS[name](), Sampling(0.9, 6, 0.95, 1.3, seed=4)
    sequences = continuations(model, PROMPTS, sampling=sampling)
    assert sequences == continuations(model, PROMPTS, sampling=sampling, cached=False)


def test_the_cache_reads_each_token_once():
    model, lengths = make_gpt(), []
    model.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
    continuations(model, [[1, 2, 3]], 10)
    assert lengths == [3, 1, 1, 1, 1, 1, 4, 1, 1, 1]  # the context of 8 overflows with the sixth


def test_a_sequence_does_not_depend_on_the_others_in_the_batch():
    model, sampling = make_gpt("rotary"), Sampling(seed=3)
    together = continuations(model, PROMPTS, sampling=sampling)
    for k, prompt in enumerate(PROMPTS):
        assert continuations(model, [prompt], sampling=Sampling(seed=3 + k)) == [together[k]]


def test_a_seed_decides_the_tokens_and_the_global_random_state_is_not_touched():
    model = make_gpt()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = continuations(model, [[1]], sampling=Sampling(seed=5))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert continuations(model, [[1]], sampling=Sampling(seed=5)) == first
    assert continuations(model, [[1]], sampling=Sampling(seed=6)) != first


def test_given_random_numbers_stand_in_for_a_seed():
    model, sampling = make_gpt(), Sampling(seed=5)
    numbers = [torch.Generator().manual_seed(5 + row) for row in range(len(PROMPTS))]
    draws = torch.stack([torch.rand(9, generator=g, dtype=torch.float64) for g in numbers])
    by_seed = continuations(model, PROMPTS, 9, sampling)
    assert continuations(model, PROMPTS, 9, Sampling(seed=77), draws=draws) == by_seed
    assert continuations(model, PROMPTS, 9, sampling, draws=draws.flip(0)) != by_seed


def test_sequences_end_at_the_end_token_and_the_others_continue():
    model = make_gpt()
    free = continuations(model, PROMPTS, 20)
    end = free[0][4]
    steps = list(generate(model, PROMPTS, 20, GREEDY, ends=[end]))
    for k, text in enumerate(free):
        kept = text[: text.index(end)] if end in text else text
        assert [step[k] for step in steps] == kept + [None] * (len(steps) - len(kept))
    alone = list(generate(model, PROMPTS[:1], 20, GREEDY, ends=[end]))
    assert len(alone) == free[0].index(end)  # nothing more when all have ended


def test_prompts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="a prompt of 9 tokens, expected 1 to 8"):
        list(generate(make_gpt(), [[1] * 9], 1, GREEDY))
    with pytest.raises(ValueError, match="a prompt of 0 tokens"):
        list(generate(make_gpt(), [[]], 1, GREEDY))
    assert len(continuations(MODELS["lstm"](), [[1] * 50])[0]) == 30


# ------------------------------------------------------------------------------ choosing

LOGITS = torch.tensor([[2.0, -1.0, 0.5, 1.0, -3.0]]).expand(20_000, -1)


def frequencies(sampling):
    """How often each of the tokens is chosen."""
    draws = torch.rand(len(LOGITS), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return choose(LOGITS, sampling, draws).bincount(minlength=5) / len(LOGITS)


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (Sampling(), [0, 1, 2, 3, 4]),
        (Sampling(temperature=0.5), [0, 1, 2, 3, 4]),
        (Sampling(top_k=2), [0, 3]),
        (Sampling(top_k=99), [0, 1, 2, 3, 4]),
        (Sampling(top_p=0.7), [0, 3]),  # 0.60 alone does not reach it
        (Sampling(top_p=0.5), [0]),
        (Sampling(top_p=1e-9), [0]),
        (Sampling(top_k=3, top_p=0.8), [0, 3]),  # 0.63, 0.23, 0.14 of the three
        (Sampling(temperature=2.0, top_k=3, top_p=0.9), [0, 2, 3]),
    ],
)
def test_frequencies_are_the_probabilities(sampling, kept):
    expected = torch.zeros(5)
    expected[kept] = (LOGITS[0, kept] / sampling.temperature).softmax(0)
    actual = frequencies(sampling)
    torch.testing.assert_close(actual, expected, atol=0.012, rtol=0)  # three standard deviations
    assert (actual[expected == 0] == 0).all()


def test_extreme_draws_choose_a_token_that_may_be_chosen():
    logits = torch.tensor([[0.0, -torch.inf, 1.0, -torch.inf]]).expand(2, -1)
    draws = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    for sampling in (Sampling(), Sampling(top_p=0.99), Sampling(top_k=3)):
        assert set(choose(logits, sampling, draws).tolist()) <= {0, 2}


def test_repetition_is_penalised():
    class Fixed(torch.nn.Module):
        context = None

        def __init__(self):
            super().__init__()
            self.logits = torch.nn.Parameter(torch.tensor([3.0, 2.0, -1.0, -1.5]))

        def new_cache(self, batch):
            return []

        def forward(self, tokens, cache=None, last_only=False):
            return self.logits.expand(len(tokens), 1, -1)

    # 3 / 4 < 2, then 2 / 4 < 3 / 4: once each is penalised, the first is again the likeliest
    sampling = Sampling(temperature=0, repetition_penalty=4.0)
    assert continuations(Fixed(), [[2]], 3, sampling) == [[0, 1, 0]]
    # of the negative ones, -1.5 * 4 falls behind -1
    model = Fixed()
    model.logits.data -= 4
    assert continuations(model, [[3]], 3, sampling) == [[0, 1, 0]]
    assert continuations(model, [[0]], 1, sampling) == [[1]]
    assert continuations(Fixed(), [[0]], 1, Sampling(temperature=0)) == [[0]]


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"repetition_penalty": 0.0},
        {"seed": -1},
    ],
)
def test_values_out_of_range_are_refused(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name}=.*: expected"):
        Sampling(**options)
