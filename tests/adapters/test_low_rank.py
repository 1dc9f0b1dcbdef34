"""Layers with low-rank updates, against the equations of their papers in float64."""

import copy

import pytest
import torch
from torch import nn

from zoo.adapters.lora import lora


def layer_and_adapted(**options):
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(5, 7)).double()
    model = lora(copy.deepcopy(plain), rank=2, alpha=6.0, targets=["0"], **options)
    nn.init.normal_(model[0].lora_b, std=0.3)
    return plain[0], model[0], torch.randn(3, 5, dtype=torch.float64)


def test_lora_equals_its_equation():
    plain, layer, x = layer_and_adapted()
    weight = plain.weight + 6 / 2 * layer.lora_b @ layer.lora_a
    torch.testing.assert_close(layer(x), x @ weight.T + plain.bias)
    _, stable, _ = layer_and_adapted(rslora=True)
    assert stable.scale == pytest.approx(6 / 2**0.5)


def test_dora_equals_its_equation_with_a_norm_that_is_a_constant():
    """Equations 5, 6 and 11, with each row of W for a column there."""
    plain, layer, x = layer_and_adapted(dora=True)
    torch.testing.assert_close(layer.lora_magnitude, plain.weight.norm(dim=1))
    layer.lora_magnitude.data += torch.rand(7)
    a, b, m = (
        p.detach().clone().requires_grad_()
        for p in (layer.lora_a, layer.lora_b, layer.lora_magnitude)
    )
    weight = plain.weight.detach() + 6 / 2 * b @ a
    expected = x @ (m[:, None] * weight / weight.norm(dim=1, keepdim=True).detach()).T + plain.bias
    y = layer(x)
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
    y.square().sum().backward()
    expected.square().sum().backward()
    for mine, theirs in ((layer.lora_a, a), (layer.lora_b, b), (layer.lora_magnitude, m)):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-12, atol=1e-12)


def test_a_row_of_zeros_stays_one():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7))
    model[0].weight.data[2] = 0
    lora(model, targets=["0"], dora=True)
    y = model(torch.randn(3, 5))
    y.sum().backward()
    assert torch.equal(y[:, 2], model[0].bias[2].expand(3))
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)


def test_the_norm_is_computed_in_full_precision_under_autocast():
    _, layer, x = layer_and_adapted(dora=True)
    layer = layer.float()
    expected = layer.gain()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer.gain(), expected)
