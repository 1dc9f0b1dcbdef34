"""Llama: rotations, options, generation (tests/weights/test_family.py: as the originals)."""

import math

import pytest
import torch

from zoo.inference.generation import Sampling, generate
from zoo.models.llama import Llama, rotation_rates

SCALING = dict(
    type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=64,
)  # fmt: skip


def make(**options):
    torch.manual_seed(0)
    sizes = dict(width=16, depth=2, heads=4, kv_heads=2)
    return Llama(11, 12, **sizes | options).double().eval()


def test_rotations_are_slowed_down():
    plain = rotation_rates(8, 100.0, None)
    torch.testing.assert_close(plain, torch.tensor([1.0, 10**-0.5, 0.1, 10**-1.5]))
    linear = rotation_rates(8, 100.0, {"type": "linear", "factor": 4})
    torch.testing.assert_close(linear, plain / 4)
    scaled = rotation_rates(8, 100.0, SCALING)
    turns = 64 * plain / (2 * math.pi)
    assert turns[0] > 4 and 1 < turns[1] < 4 and 1 < turns[2] < 4 and turns[3] < 1
    assert scaled[0] == plain[0] and scaled[3] == plain[3] / 8
    share = (turns[2] - 1) / 3
    expected = (1 - share) * plain[2] / 8 + share * plain[2]
    torch.testing.assert_close(scaled[2], expected)


@pytest.mark.parametrize(
    ("scaling", "said"),
    [
        ({"type": "yarn", "factor": 4}, "expected null, .type: linear, factor., or .type: llama3"),
        ({"type": "linear"}, "rope_scaling=.'type': 'linear'.: expected null"),
        ({"type": "linear", "factor": 0}, "expected numbers above 0"),
        ({"type": "linear", "factor": "four"}, "expected numbers above 0"),
        ("linear", "rope_scaling=linear: expected null"),
        (SCALING | {"beta": 1}, "expected null"),
    ],
)
def test_a_scaling_that_is_not_known(scaling, said):
    with pytest.raises(ValueError, match=said):
        make(rope_scaling=scaling)


def test_heads_of_an_odd_width_have_no_pairs_to_rotate():
    with pytest.raises(ValueError, match="rotary positions need an even head width, got 5"):
        Llama(11, 8, width=10, depth=1, heads=2)


def test_a_window_ends_what_a_token_sees():
    """Two blocks of window 3 see 5 tokens back, themselves included."""
    model, tokens = make(window=3), torch.randint(11, (1, 9))
    other = tokens.clone()
    other[0, 0] = (other[0, 0] + 1) % 11
    same = (model(tokens) == model(other)).all(-1)[0].tolist()
    assert same == [False] * 5 + [True] * 4


@pytest.mark.parametrize("options", [{}, dict(window=5, qk_norm=True)])
def test_generation_with_the_cache_and_without(options):
    model = make(**options)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.5)
    with_cache, without = (
        list(generate(model, [[1, 2, 3], [4, 5, 6]], 20, Sampling(0), cached=cached))
        for cached in (True, False)
    )
    assert with_cache == without and len(with_cache) == 20, "beyond the context too"


def test_it_begins_at_zero():
    """The logits are zero, and the gradient is not."""
    model, tokens = make(init="zero"), torch.randint(11, (2, 6))
    assert not model(tokens).any()
    model(tokens[:, :-1], targets=tokens[:, 1:].flatten()).backward()
    assert model.head.weight.grad.abs().sum() > 0
    with pytest.raises(ValueError, match="cannot be tied; tie=false"):
        make(init="zero", tie=True)


def test_a_classifier_reads_the_last_token_before_the_padding():
    model = make(num_outputs=3, pad_id=0)
    tokens = torch.tensor([[4, 5, 6], [7, 8, 0]])
    torch.testing.assert_close(model(tokens)[1:], model(tokens[1:, :2]))
    assert model(tokens).shape == (2, 3)
