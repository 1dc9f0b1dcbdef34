"""One token at a time through plain layers: what these say, and when they are asked themselves."""

import pytest
import torch
from torch import nn

from zoo.layers import one_token
from zoo.layers.one_token import OneToken
from zoo.models.gpt import GPT

PLAIN = dict(width=16, depth=2, heads=4)
VARIANTS = {
    "gpt2": {},
    "rotary, rms, relu2": dict(positions="rotary", norm="rms", activation="relu2", bias=False),
    "swiglu, shared keys": dict(activation="swiglu", kv_heads=2, qk_norm=True),
    "sinusoidal, normalised": dict(
        positions="sinusoidal", qk_norm=True, norm="rms", init="zero", tie=False
    ),
    "rotary, normalised": dict(positions="rotary", qk_norm=True, activation="relu"),
}


def make(**options):
    torch.manual_seed(0)
    model = GPT(11, 9, **PLAIN | options).double().eval()
    for p in model.parameters():
        nn.init.normal_(p, std=0.3)
    return model


def one_by_one(model, tokens):
    cache, found = model.new_cache(len(tokens)), []
    with torch.inference_mode():
        found.append(model(tokens[:, :2], cache=cache))
        found += [model(tokens[:, k : k + 1], cache=cache) for k in range(2, tokens.shape[1])]
    return torch.cat(found, dim=1), cache


@pytest.mark.parametrize("texts", [1, 3])
@pytest.mark.parametrize("amd", [False, True])
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_equals_reading_the_whole_text(variant, amd, texts, monkeypatch):
    monkeypatch.setattr(one_token, "AMD", amd)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)  # no part of 11 or 16
    model = make(**variant)
    tokens = torch.randint(11, (texts, 9))
    found, cache = one_by_one(model, tokens)
    assert isinstance(cache.quick, OneToken)
    torch.testing.assert_close(found, model(tokens).detach())


def test_layers_that_it_does_not_know_are_asked_themselves():
    class Twice(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    model = make()
    model.blocks[1].feed_forward.up = Twice(16, 64).double()
    tokens = torch.randint(11, (2, 9))
    found, cache = one_by_one(model, tokens)
    assert cache.quick is False
    torch.testing.assert_close(found, model(tokens).detach())


def test_hooks_are_called():
    model, calls = make(), []
    model.blocks[0].attention.register_forward_hook(lambda *_: calls.append(1))
    one_by_one(model, torch.randint(11, (1, 9)))
    assert len(calls) == 8  # two tokens at once, then one at a time


def test_where_gradients_are_wanted_the_layers_are_asked():
    model = make()
    cache = model.new_cache(1)
    model(torch.tensor([[1, 2]]), cache=cache)
    assert model(torch.tensor([[3]]), cache=cache).requires_grad and cache.quick is False


def test_a_full_cache_is_refused():
    model = make()
    _, cache = one_by_one(model, torch.randint(11, (1, 9)))
    with pytest.raises(ValueError, match="10 tokens, expected at most 9"):
        model(torch.tensor([[1]]), cache=cache)
