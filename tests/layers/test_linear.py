"""Linear layers by oneDNN, against torch's own in float64; on any processor."""

import pytest
import torch
import torch.nn.functional as F

from zoo.adapters.lora import LoRALinear
from zoo.layers import linear as layers
from zoo.layers.linear import Linear, linear

OP = "_linear_pointwise"
pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, OP),
    reason="this torch has no oneDNN",
)


@pytest.fixture
def calls(monkeypatch):
    """What oneDNN is asked for, also where it is not the quicker one."""
    monkeypatch.setattr(layers, "ONEDNN", getattr(torch.ops.mkldnn, OP))
    monkeypatch.setattr(layers, "LARGE", 2**12)
    calls = []
    plain = layers._product

    def counted(*inputs):
        calls.append(inputs)
        return plain(*inputs)

    monkeypatch.setattr(layers, "_product", counted)
    return calls


def check(x, weight, bias, outer):
    """Result and gradients of what requires them equal torch's."""
    given = [one for one in (x, weight, bias) if one is not None]
    wanted = [one for one in given if one.requires_grad]
    y = linear(x, weight, bias)
    found = torch.autograd.grad(y, wanted, outer)
    twice = [one.detach().double().requires_grad_(one.requires_grad) for one in given]
    expected = F.linear(*twice)
    theirs = torch.autograd.grad(
        expected, [one for one in twice if one.requires_grad], outer.double()
    )
    torch.testing.assert_close(y.double(), expected, rtol=1e-5, atol=1e-4)
    for ours, exact in zip(found, theirs):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("shape", [(65,), (5, 13), (2, 3, 11)])
@pytest.mark.parametrize("bias", [True, False])
def test_result_and_gradients(shape, bias, calls):
    torch.manual_seed(0)
    x = torch.randn(*shape, 17, requires_grad=True)
    weight = torch.randn(19, 17, requires_grad=True)
    check(x, weight, torch.randn(19, requires_grad=True) if bias else None, torch.randn(*shape, 19))
    assert len(calls) == 2


@pytest.mark.parametrize("trained", [0, 1, 2])
def test_gradients_of_one_of_its_inputs(trained, calls):
    torch.manual_seed(trained)
    inputs = [torch.randn(65, 17), torch.randn(19, 17), torch.randn(19)]
    inputs[trained].requires_grad_()
    check(*inputs, torch.randn(65, 19))
    assert len(calls) == (2 if trained == 0 else 1)  # no gradient but the one that is wanted


def test_of_transposed_matrices_and_an_expanded_gradient(calls):
    torch.manual_seed(0)
    x, weight = torch.randn(17, 65).mT, torch.randn(17, 19).mT
    check(x.requires_grad_(), weight.requires_grad_(), None, torch.ones(()).expand(65, 19))
    assert calls


def test_a_layer_and_an_adapted_one(calls):
    torch.manual_seed(0)
    layer, x = Linear(17, 19), torch.randn(65, 17)
    plain = F.linear(x, layer.weight, layer.bias)
    torch.testing.assert_close(layer(x), plain, rtol=1e-5, atol=1e-5)
    adapted = LoRALinear(layer, 2, 1.0, 0.0)
    adapted.lora_b.data.normal_()
    expected = plain + x @ (adapted.lora_b @ adapted.lora_a).mT
    torch.testing.assert_close(adapted(x), expected, rtol=1e-4, atol=1e-4)
    assert len(calls) == 2


@pytest.mark.parametrize("name", ["small", "double", "bf16", "elsewhere", "traced"])
def test_torch_computes_what_it_does_not_suit(name, calls, monkeypatch):
    layer, x = Linear(16, 16), torch.randn(15 if name == "small" else 64, 16)
    if name == "double":
        layer, x = layer.double(), x.double()
    if name == "elsewhere":
        monkeypatch.setattr(layers, "ONEDNN", None)
    if name == "traced":
        torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("n", min=2)},))
    else:
        with torch.autocast("cpu", torch.bfloat16, enabled=name == "bf16"):
            layer(x)
    assert not calls


@pytest.mark.parametrize(
    "found, quicker",
    [
        ({"cpu_name": "AMD EPYC", "avx512_f": True}, True),
        ({"cpu_name": "AMD EPYC", "avx512_f": False}, False),
        ({"cpu_name": "Intel Xeon", "avx512_f": True}, False),
        ({}, False),
    ],
)
def test_which_processors_have_it(found, quicker, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    assert layers._amd() == quicker
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not layers._amd()
