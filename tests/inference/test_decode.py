"""The decode step: the logits of the model itself, and when the model is called instead."""

import pytest
import torch
from torch import nn

from zoo.inference import decode
from zoo.inference.decode import DecodeStep, supports
from zoo.inference.generation import Sampling, generate
from zoo.kernels import reference_kernels
from zoo.models.gpt import GPT
from zoo.models.llama import Llama

VARIANTS = {
    "gpt2": {},
    "rotary, rms, relu2": dict(positions="rotary", norm="rms", activation="relu2", bias=False),
    "swiglu, shared keys": dict(activation="swiglu", kv_heads=2, qk_norm=True),
    "sinusoidal, normalised": dict(
        positions="sinusoidal", qk_norm=True, norm="rms", init="zero", tie=False
    ),
    "rotary, normalised": dict(positions="rotary", qk_norm=True, activation="relu"),
    "llama": dict(cls=Llama, kv_heads=2),
    "llama, of all options": dict(
        cls=Llama, kv_heads=1, head_width=6, window=3, qk_norm=True, bias="all", dropout=0.1
    ),
    "llama, experts": dict(cls=Llama, mixture=dict(experts=4, active=2, shared=1, inner=8)),
}


def make(cls=GPT, **options):
    torch.manual_seed(0)
    model = cls(11, 9, **dict(width=16, depth=2, heads=4) | options).double().eval()
    for p in model.parameters():
        nn.init.normal_(p, std=0.3)
    return model


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("amd", [False, True])
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_equals_a_forward_pass_over_the_sequence(variant, amd, batch, monkeypatch):
    monkeypatch.setattr(decode, "AMD", amd)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)  # divides neither 11 nor 16
    model = make(**variant)
    tokens = torch.randint(11, (batch, 9))
    cache = model.new_cache(batch)
    with torch.inference_mode():
        logits = [model(tokens[:, :2], cache=cache)]
        step = DecodeStep.of(model, cache, batch)
        logits += [step(tokens[:, k : k + 1])[:, None] for k in range(2, 9)]
    torch.testing.assert_close(torch.cat(logits, dim=1), model(tokens).detach())
    with torch.inference_mode(), pytest.raises(ValueError, match="10 tokens, expected at most 9"):
        step(tokens[:, :1])


def generated(model):
    """The generated tokens, and the number of calls of the model itself."""
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        plain = type(model).forward

        def counted(self, *args, **options):
            calls.append(1)
            return plain(self, *args, **options)

        patch.setattr(type(model), "forward", counted)
        tokens = [row[0] for row in generate(model, [[1, 2]], 6, Sampling(temperature=0))]
    return tokens, len(calls)


def test_generation_calls_the_model_for_the_prompt_only():
    tokens, calls = generated(make())
    assert calls == 1 and len(tokens) == 6


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Negated(GPT):
    def forward(self, *args, **options):
        return -super().forward(*args, **options)


def test_unsupported_layers_and_models_are_called():
    model = make()
    plain, _ = generated(model)
    model.blocks[1].feed_forward.up = Doubled(16, 64).double()
    assert generated(model)[1] == 6
    opposite, calls = generated(make(Negated))
    assert calls == 6 and opposite != plain


@pytest.mark.parametrize("place", ["model", "layer", "everywhere", "before", "patched"])
def test_hooks_are_called_for_each_token(place):
    model, calls = make(), []
    attention = model.blocks[0].attention
    if place == "everywhere":
        hook = nn.modules.module.register_module_forward_hook(
            lambda module, *_: calls.append(1) if module is attention else None
        )
    elif place == "before":
        hook = attention.register_forward_pre_hook(lambda *_: calls.append(1))
    elif place == "patched":
        plain = attention.forward
        attention.forward = lambda *a, **o: calls.append(1) or plain(*a, **o)
    else:
        hook = (model if place == "model" else attention).register_forward_hook(
            lambda *_: calls.append(1)
        )
    try:
        list(generate(model, [[1, 2]], 6, Sampling(temperature=0)))
    finally:
        if place != "patched":
            hook.remove()
    assert len(calls) == 6


def test_needs_evaluation_mode_without_gradients_in_one_precision():
    model = make()
    with torch.no_grad():
        assert supports(model)
        with torch.autocast("cpu", torch.bfloat16):
            assert not supports(model)
        assert not supports(model.train())
        assert not supports(make(num_outputs=3))
        with reference_kernels():
            assert not supports(model.eval())
    assert not supports(model.eval())
