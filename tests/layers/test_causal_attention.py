"""Causal attention whose gradient is by hand, against torch's own in float64."""

import pytest
import torch
import torch.nn.functional as F

from zoo.layers import causal_attention as by_hand
from zoo.layers.attention import Attention, record_attention
from zoo.layers.positions import Rotary
from zoo.models.gpt import GPT


def leaves(batch, number, tokens, size):
    """Heads of a token side by side in memory, as a linear layer leaves them."""
    given = torch.randn(batch, tokens, number, size)
    return given.transpose(1, 2).detach().requires_grad_()


@pytest.mark.parametrize("tokens", [1, 127, 128, 129, 200, 256, 300, 512])
@pytest.mark.parametrize("numbers", [(9,), (6, 3), (3, 3, 3)])
def test_result_and_gradients(tokens, numbers):
    torch.manual_seed(tokens)
    stacks = [leaves(2, number, tokens, 16) for number in numbers]
    outer = torch.randn(2, 3, tokens, 16)
    y = by_hand.causal_attention(stacks, 3)
    found = torch.autograd.grad(y, stacks, outer)
    exact = [stack.detach().double().requires_grad_() for stack in stacks]
    q, k, v = torch.cat(exact, 1).split(3, 1)
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    wanted = torch.autograd.grad(expected, exact, outer.double())
    torch.testing.assert_close(y.double(), expected, rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(found, wanted):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5)


def test_gradient_that_was_expanded():
    """As that of a sum: all of it is one number in memory."""
    stacks = [leaves(1, 6, 200, 8)]
    (found,) = torch.autograd.grad(by_hand.causal_attention(stacks, 2).sum(), stacks)
    q, k, v = stacks[0].split(2, 1)
    whole = F.scaled_dot_product_attention(q, k, v, is_causal=True).sum()
    torch.testing.assert_close(found, *torch.autograd.grad(whole, stacks), rtol=1e-5, atol=1e-5)


def count(monkeypatch, function=by_hand._CausalAttention):
    """How often it is asked from now on, in a list; on any processor."""
    monkeypatch.setattr(by_hand, "QUICK", True)
    calls = []
    plain = function.apply

    def counted(*inputs):
        calls.append(inputs)
        return plain(*inputs)

    monkeypatch.setattr(function, "apply", counted)
    return calls


@pytest.mark.parametrize("options", [{}, {"qk_norm": "rms"}, {"rotary": True}])
def test_a_layer_trains_by_hand_as_by_torch(options, monkeypatch):
    calls = count(monkeypatch)
    torch.manual_seed(0)
    layer = Attention(256, 4, causal=True, qk_norm=options.get("qk_norm"))
    rotation = Rotary(256, 64)(0, 256) if options.get("rotary") else None
    x = torch.randn(2, 256, 256)
    gradients = []
    for form in (torch.float32, torch.float64):
        layer, x = layer.to(form), x.to(form)
        turn = tuple(one.to(form) for one in rotation) if rotation else None
        y = layer(x, rotation=turn)
        gradients.append(torch.autograd.grad(y.square().sum(), list(layer.parameters())))
    assert len(calls) == 1
    for ours, theirs in zip(*gradients):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "name",
    ["eval", "frozen", "short", "long", "small", "groups", "masked", "recorded", "bidirectional"],
)
def test_torch_computes_what_it_does_not_suit(name, monkeypatch):
    calls = count(monkeypatch)
    tokens = {"short": 191, "long": 513}.get(name, 256)
    width = 128 if name == "small" else 512
    groups = 2 if name == "groups" else None
    layer = Attention(width, 4, groups, causal=name != "bidirectional")
    layer.requires_grad_(name != "frozen")
    x = torch.randn(1, tokens, width)
    mask = torch.ones(tokens, tokens, dtype=torch.bool) if name == "masked" else None
    if name == "eval":
        with torch.no_grad():
            layer(x)
    elif name == "recorded":
        with record_attention(layer):
            layer(x)
    else:
        layer(x, mask=mask)
    assert not calls


@pytest.mark.parametrize("tokens", [1, 127, 128, 129, 300])
def test_products_of_all_texts_at_once(tokens):
    torch.manual_seed(tokens)
    leaves = [torch.randn(6, tokens, 8, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    q, k, v = leaves
    y = by_hand.causal_products(q * 8**-0.5, k, v)
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(y, expected)
    outer = torch.randn(6, 8, tokens, dtype=torch.float64).mT  # not contiguous
    found, wanted = (torch.autograd.grad(one, leaves, outer) for one in (y, expected))
    for ours, theirs in zip(found, wanted):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("groups", [4, 2])
def test_a_layer_in_bf16_trains_as_in_float64(groups, monkeypatch):
    calls = count(monkeypatch, by_hand._CausalProducts)
    torch.manual_seed(0)
    layer, x = Attention(64, 4, groups, causal=True), torch.randn(2, 200, 64)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    found = torch.autograd.grad(y.float().square().sum(), list(layer.parameters()))
    assert len(calls) == 1 and y.dtype == torch.bfloat16
    exact = layer.double()(x.double())
    wanted = torch.autograd.grad(exact.square().sum(), list(layer.parameters()))
    assert (y.double() - exact).norm() < 0.01 * exact.norm()
    for ours, theirs in zip(found, wanted):
        assert (ours.double() - theirs).norm() < 0.02 * theirs.norm() + 1e-3


def test_gpt_reads_left_to_right_while_training():
    model = GPT(64, 256, 256, 1, 4)
    tokens = torch.randint(64, (1, 256))
    first = model(tokens)
    tokens[0, 200:] = torch.randint(64, (56,))
    torch.testing.assert_close(model(tokens)[:, :200], first[:, :200], rtol=0, atol=0)
    (own,) = torch.autograd.grad(model(tokens)[0, 199].sum(), model.position.weight)
    assert own[:200].abs().sum(1).all() and not own[200:].any()
