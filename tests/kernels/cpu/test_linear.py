"""Linear layers by oneDNN: which arguments and processors take it, and the products it spares."""

import pytest
import torch
import torch.nn.functional as F

from zoo.adapters.lora import LoRALinear
from zoo.kernels import linear
from zoo.kernels.cpu import linear as cpu
from zoo.layers.linear import Linear

pytestmark = pytest.mark.skipif(cpu.ONEDNN is None, reason="this torch has no oneDNN")


@pytest.fixture
def calls(monkeypatch):
    """Products asked of oneDNN, on any processor, from few numbers on."""
    monkeypatch.setattr(cpu, "AMD", True)
    monkeypatch.setattr(cpu, "MIN_PRODUCTS", 2**12)
    calls, plain = [], cpu.ONEDNN
    monkeypatch.setattr(cpu, "ONEDNN", lambda *inputs: calls.append(inputs) or plain(*inputs))
    return calls


@pytest.mark.parametrize("trained", [0, 1, 2])
def test_no_product_for_a_gradient_that_is_not_required(trained, calls):
    inputs = [torch.randn(65, 17), torch.randn(19, 17), torch.randn(19)]
    inputs[trained].requires_grad_()
    torch.autograd.grad(linear(*inputs), inputs[trained], torch.randn(65, 19))
    assert len(calls) == (2 if trained == 0 else 1)


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


@pytest.mark.parametrize("name", ["small", "double", "bf16", "another processor", "traced"])
def test_arguments_that_the_reference_computes(name, calls, monkeypatch):
    layer, x = Linear(16, 16), torch.randn(15 if name == "small" else 64, 16)
    if name == "double":
        layer, x = layer.double(), x.double()
    if name == "another processor":
        monkeypatch.setattr(cpu, "AMD", False)
    if name == "traced":
        torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("n", min=2)},))
    else:
        with torch.autocast("cpu", torch.bfloat16, enabled=name == "bf16"):
            layer(x)
    assert not calls


@pytest.mark.parametrize(
    "capabilities, faster",
    [
        ({"cpu_name": "AMD EPYC", "avx512_f": True}, True),
        ({"cpu_name": "AMD EPYC", "avx512_f": False}, False),
        ({"cpu_name": "Intel Xeon", "avx512_f": True}, False),
        ({}, False),
    ],
)
def test_which_processors_gain(capabilities, faster, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert cpu.is_amd_avx512() == faster
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not cpu.is_amd_avx512()
