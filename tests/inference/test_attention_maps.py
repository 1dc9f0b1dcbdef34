"""Attention maps: weights of every layer for the first sequence of the batch."""

import torch

from zoo.inference.attention_maps import attention_maps
from zoo.models.gpt import GPT
from zoo.models.rnn_attention import RnnAttention


def test_maps_of_every_layer_for_the_first_sequence():
    torch.manual_seed(0)
    model = GPT(16, 8, width=8, depth=2, heads=2).eval()
    tokens = torch.randint(16, (3, 5))
    maps = attention_maps(model, tokens)
    assert list(maps) == ["blocks.0.attention", "blocks.1.attention"]
    for name, weights in maps.items():
        assert weights.shape == (2, 5, 5) and not weights.requires_grad
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 5))
        torch.testing.assert_close(weights, attention_maps(model, tokens[:1])[name])


def test_attention_of_other_kinds_counts_too():
    model = RnnAttention(16, pad_id=0, width=8).eval()
    maps = attention_maps(model, torch.tensor([[1, 5, 2]]), torch.tensor([[1, 9]]))
    assert {name: weights.shape for name, weights in maps.items()} == {"attention": (1, 2, 3)}


def test_models_without_attention_have_no_maps_and_are_not_called():
    assert attention_maps(torch.nn.Linear(2, 2), "nothing that it could take") == {}
