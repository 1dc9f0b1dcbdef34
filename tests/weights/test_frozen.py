"""Weights in 16 bits: built without values, tables as exact as ever."""

import torch
from torch import nn

from zoo.config.run import InitConfig
from zoo.models.llama import Llama
from zoo.weights.frozen import frozen_format

SIZES = dict(vocab_size=9, block_size=8, width=8, depth=1, heads=2)


def test_no_random_numbers_are_drawn():
    state = torch.get_rng_state()
    with frozen_format(InitConfig(dtype="bf16")):
        model = Llama(**SIZES)
    assert torch.equal(torch.get_rng_state(), state)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert torch.equal(model.rotary.cos, Llama(**SIZES).rotary.cos), "of float32"
    assert torch.equal(model.norm.weight, torch.ones(8))
    assert torch.get_default_dtype() == torch.float32


def test_without_it_nothing_changes():
    torch.manual_seed(0)
    expected = nn.Linear(3, 3).weight
    torch.manual_seed(0)
    with frozen_format(InitConfig()):
        assert torch.equal(nn.Linear(3, 3).weight, expected)
