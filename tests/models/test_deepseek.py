"""DeepSeek: its cache, generation, what is absorbed (tests/weights: as the originals)."""

import pytest
import torch

from zoo.adapters.lora import lora
from zoo.config.compose import load
from zoo.errors import UserError
from zoo.inference.generation import Sampling, generate
from zoo.layers.latent_attention import LatentAttention
from zoo.layers.mixture import Mixture
from zoo.models.deepseek import DeepSeek


def make(**options):
    torch.manual_seed(0)
    sizes = dict(
        width=16, depth=3, heads=4, latent=6, head_width=5, rotary_width=4, value_width=7,
        mixture=dict(experts=4, active=2, shared=1, score="sigmoid"),
    )  # fmt: skip
    model = DeepSeek(11, 12, **sizes | options).double().eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.4)
    return model


@pytest.mark.parametrize("q_latent", [None, 9])
def test_generation_with_the_cache_and_without(q_latent):
    model = make(q_latent=q_latent)
    with_cache, without = (
        list(generate(model, [[1, 2, 3], [4, 5, 6]], 16, Sampling(0), cached=cached))
        for cached in (True, False)
    )
    assert with_cache == without and len(with_cache) == 16, "beyond the context too"


@torch.no_grad()
def test_a_token_at_a_time_is_absorbed_and_equal(monkeypatch):
    model, tokens = make(), torch.randint(11, (2, 9))
    cache, absorbed = model.new_cache(2), []
    original = LatentAttention.absorbed
    monkeypatch.setattr(LatentAttention, "absorbed", lambda *a: absorbed.append(1) or original(*a))
    cut = (tokens[:, :4], *tokens[:, 4:].split(1, 1))
    parts = [model(part, cache=cache) for part in cut]
    assert len(absorbed) == 5 * 3
    torch.testing.assert_close(torch.cat(parts, 1), model(tokens), rtol=1e-10, atol=1e-10)
    keys, values = cache[0].read()
    assert keys.shape == (2, 9, 1, 6 + 4) and values.shape == (2, 9, 1, 6), "of all heads together"
    for name in ("blocks.0.attention.kv_up", "blocks.1.attention.kv_up"):
        model.get_submodule(name).register_forward_hook(lambda m, a, y: 2 * y)
    cache, absorbed[:] = model.new_cache(2), []
    stepwise = torch.cat([model(part, cache=cache) for part in tokens.split(1, 1)], 1)
    assert len(absorbed) == 9, "only where nothing but the weight is there"
    torch.testing.assert_close(stepwise, model(tokens), rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_an_adapter_is_not_left_out():
    model, tokens = make(), torch.randint(11, (1, 6))
    lora(model, rank=2)
    for name, p in model.named_parameters():
        if ".lora_b" in name:
            torch.nn.init.normal_(p)
    cache = model.new_cache(1)
    stepwise = torch.cat([model(part, cache=cache) for part in tokens.split(1, 1)], 1)
    torch.testing.assert_close(stepwise, model(tokens), rtol=1e-10, atol=1e-10)


def test_options_of_the_mixture_are_checked():
    with pytest.raises(UserError, match="model.mixture.expert: .* did you mean 'experts'"):
        make(mixture=dict(expert=4))


def test_a_mixture_that_no_block_has_is_refused():
    with pytest.raises(UserError, match="model.dense_blocks=3 of model.depth=3 leaves no block"):
        make(dense_blocks=3)
    for dense in (make(mixture=None), make(dense_blocks=3, mixture={})):
        assert not any(isinstance(module, Mixture) for module in dense.modules())


def test_the_command_line_takes_a_model_without_experts():
    model = load(["model=deepseek", "model.mixture=null", "task=causal_lm", "data=text"]).model
    assert model["mixture"] is None
