"""Linear layers in few bits: what they compute, keep for the backward pass, and refuse."""

import copy
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zoo.adapters.lora import fold, lora, lora_layers
from zoo.adapters.quantised import QuantisedLinear, import_torchao, quantise
from zoo.errors import UserError
from zoo.layers.linear import Linear
from zoo.models.llama import Llama

pytest.importorskip("torchao")
every_form = pytest.mark.parametrize(("form", "error"), [("int8", 0.01), ("nf4", 0.1)])


def held(form, outputs=48, inputs=64):
    torch.manual_seed(0)
    plain = nn.Linear(inputs, outputs)
    layer = QuantisedLinear(plain, form)
    layer.hold(plain.weight)
    return plain, layer


@every_form
def test_it_is_near_the_layer_and_exactly_the_product_with_the_unpacked_weight(form, error):
    plain, layer = held(form)
    assert 0 < layer.hold(plain.weight) < error
    x = torch.randn(2, 3, 64, requires_grad=True)
    y, expected = layer(x), F.linear(x, layer.weight, plain.bias)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(y, plain(x), rtol=0.0, atol=5 * error)
    (grad,) = torch.autograd.grad(y.square().sum(), x)
    (right,) = torch.autograd.grad(expected.square().sum(), x)
    torch.testing.assert_close(grad, right)


@every_form
def test_memory(form, error):
    """Few bytes are held, and no weight is kept for the backward pass."""
    plain, layer = held(form, 256, 256)
    numbers = plain.weight.numel()
    kept = sum(buffer.nbytes for buffer in layer.buffers())
    assert kept <= numbers * (1.02 if form == "int8" else 0.53)
    assert layer.packed_numbers == numbers
    saved = []
    x = torch.randn(2, 256, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(saved.append, lambda t: t):
        layer(x)
    assert all(t.numel() < numbers for t in saved)


@every_form
def test_mixed_precision_is_that_of_a_linear_layer(form, error):
    plain, layer = held(form)
    plain.weight = nn.Parameter(layer.weight)
    x = torch.randn(3, 64)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x), plain(x)) or (layer(x) - plain(x)).abs().max() < 0.01
        assert layer(x).dtype == plain(x).dtype == torch.bfloat16


@pytest.mark.parametrize("dora", [False, True])
@every_form
def test_an_adapter_on_it_is_that_on_the_unpacked_layer(form, error, dora):
    _, layer = held(form)
    model = nn.Sequential(copy.deepcopy(layer), nn.ReLU(), layer.whole(layer.weight))
    x = torch.randn(3, 64)
    options = dict(rank=2, targets=["0"], dora=dora)
    quantised = nn.Sequential(copy.deepcopy(layer))
    unpacked = nn.Sequential(layer.whole(layer.weight))
    for model in (quantised, unpacked):
        torch.manual_seed(1)
        lora(model, **options)
        nn.init.normal_(model[0].lora_b)
        model(x).square().sum().backward()
    torch.testing.assert_close(quantised(x), unpacked(x))
    for name in ("lora_a", "lora_b", *(["lora_magnitude"] if dora else [])):
        ours, theirs = (getattr(model[0], name).grad for model in (quantised, unpacked))
        torch.testing.assert_close(ours, theirs)
    expected = quantised(x)
    fold(quantised)
    assert lora_layers(quantised), "it stays packed"
    fold(quantised, unpack=True)
    assert type(quantised[0]) is Linear and list(quantised.state_dict()) == ["0.weight", "0.bias"]
    torch.testing.assert_close(quantised(x), expected)


def test_what_a_format_does_not_hold():
    with pytest.raises(UserError, match="weight of 3 x 5 does not fill blocks of 64 .*int8"):
        QuantisedLinear(nn.Linear(5, 3), "nf4").hold(torch.ones(3, 5))
    wide = torch.full((1, 64), 1e-3)
    wide[0, 0] = 1.0  # all others are far below the scale that it gives
    layer = QuantisedLinear(nn.Linear(64, 64), "nf4")
    with pytest.raises(UserError, match="does not hold a weight of 64 x 64"):
        layer.hold(torch.full((64, 64), float("nan")))
    assert layer.hold(wide.expand(64, 64)) < 0.1


def test_without_torchao(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchao", None)
    monkeypatch.delitem(sys.modules, "torchao.quantization", raising=False)
    with pytest.raises(UserError, match="init.quantize needs torchao: pip install torchao"):
        import_torchao()


def test_linear_layers_but_the_head_are_held():
    model = Llama(
        vocab_size=9,
        block_size=8,
        width=8,
        depth=1,
        heads=2,
        mixture={"experts": 4, "active": 2, "shared": 1},
    )
    quantise(model, "int8")
    kept = {name for name, m in model.named_modules() if isinstance(m, nn.Linear)}
    assert kept == {"head", "blocks.0.feed_forward.router"}
    held = [name for name, m in model.named_modules() if isinstance(m, QuantisedLinear)]
    assert "blocks.0.attention.qkv" in held
    with pytest.raises(UserError, match="no linear layer but its head"):
        quantise(nn.Sequential(nn.Conv2d(1, 1, 1)), "int8")
