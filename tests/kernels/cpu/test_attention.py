"""Attention on CPUs: which arguments take which implementation, and layers that use them."""

import pytest
import torch

from zoo.kernels import attention
from zoo.kernels.cpu import attention as cpu
from zoo.layers.attention import Attention
from zoo.layers.positions import Rotary
from zoo.layers.recording import record_attention
from zoo.models.gpt import GPT


@pytest.fixture
def used(monkeypatch):
    """Implementations called from now on, as on a processor with MKL."""
    monkeypatch.setattr(cpu, "MKL_AVAILABLE", True)
    monkeypatch.setattr(attention, "used", set())
    return attention.used


@pytest.mark.parametrize("options", [{}, {"qk_norm": "rms"}, {"rotary": True}])
def test_a_layer_trains_as_in_float64(options, used):
    torch.manual_seed(0)
    layer = Attention(256, 4, causal=True, qk_norm=options.get("qk_norm"))
    rotation = Rotary(256, 64)(0, 256) if options.get("rotary") else None
    x = torch.randn(2, 256, 256)
    gradients = []
    for dtype, implementation in (
        (torch.float32, "causal_attention_by_blocks"),
        (torch.float64, "reference"),
    ):
        used.clear()
        layer, x = layer.to(dtype), x.to(dtype)
        turn = tuple(angles.to(dtype) for angles in rotation) if rotation else None
        y = layer(x, rotation=turn)
        assert used == {implementation}
        gradients.append(torch.autograd.grad(y.square().sum(), list(layer.parameters())))
    for actual, expected in zip(*gradients):
        torch.testing.assert_close(actual.double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["eval", "frozen", "short", "long", "small", "groups", "masked", "bidirectional"]
)
def test_float32_arguments_that_the_reference_computes(name, used):
    tokens = {"short": 191, "long": 513}.get(name, 256)
    width = 128 if name == "small" else 512
    layer = Attention(width, 4, 2 if name == "groups" else None, causal=name != "bidirectional")
    layer.requires_grad_(name != "frozen")
    mask = torch.ones(tokens, tokens, dtype=torch.bool) if name == "masked" else None
    with torch.set_grad_enabled(name != "eval"):
        layer(torch.randn(1, tokens, width), mask=mask)
    assert used == {"reference"}


def test_recording_weights_does_not_change_the_output(used):
    torch.manual_seed(0)
    layer, x = Attention(512, 4, causal=True), torch.randn(1, 256, 512)
    plain = layer(x)
    with record_attention(torch.nn.ModuleDict({"layer": layer})) as maps:
        torch.testing.assert_close(layer(x), plain, rtol=0, atol=0)
    assert maps["layer"][0].shape == (1, 4, 256, 256) and used == {"causal_attention_by_blocks"}


@pytest.mark.parametrize("groups", [4, 2])
def test_a_layer_in_bf16_trains_as_in_float64(groups, used):
    torch.manual_seed(0)
    layer, x = Attention(64, 4, groups, causal=True), torch.randn(2, 200, 64)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    actual = torch.autograd.grad(y.float().square().sum(), list(layer.parameters()))
    assert used == {"attention_by_products"} and y.dtype == torch.bfloat16
    exact = layer.double()(x.double())
    expected = torch.autograd.grad(exact.square().sum(), list(layer.parameters()))
    assert (y.double() - exact).norm() < 0.01 * exact.norm()
    for gradient, reference in zip(actual, expected):
        assert (gradient.double() - reference).norm() < 0.02 * reference.norm() + 1e-3


@pytest.mark.parametrize("tokens", [1, 127, 128, 129, 300])
def test_blocks_of_products_are_exact_in_float64(tokens):
    """What bfloat16 uses; there only its rounding hides a mistake in a block's border."""
    torch.manual_seed(tokens)
    leaves = [torch.randn(6, tokens, 8, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    q, k, v = leaves
    y = cpu.causal_products(q * 8**-0.5, k, v)
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(y, expected)
    gradient = torch.randn(6, 8, tokens, dtype=torch.float64).mT
    gradients = (torch.autograd.grad(output, leaves, gradient) for output in (y, expected))
    for actual, reference in zip(*gradients):
        torch.testing.assert_close(actual, reference)


def test_gpt_reads_left_to_right_while_training(used):
    model = GPT(64, 256, 256, 1, 4)
    tokens = torch.randint(64, (1, 256))
    first = model(tokens)
    tokens[0, 200:] = torch.randint(64, (56,))
    torch.testing.assert_close(model(tokens)[:, :200], first[:, :200], rtol=0, atol=0)
    (own,) = torch.autograd.grad(model(tokens)[0, 199].sum(), model.position.weight)
    assert own[:200].abs().sum(1).all() and not own[200:].any()
    assert used == {"causal_attention_by_blocks"}
