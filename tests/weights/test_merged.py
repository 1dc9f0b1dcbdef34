"""The weighted sum of adapters: of weights, whatever ranks, layers and parts they have."""

import copy

import pytest
import torch
from torch import nn

from zoo.adapters.lora import fold, lora, lora_layers
from zoo.errors import UserError
from zoo.models.gpt import GPT
from zoo.models.resnet import ResNet
from zoo.training.checkpoint import model_tensors, trainable_tensors
from zoo.weights.load import load_weights
from zoo.weights.merged import merge_adapters, merge_own
from zoo.weights.peft import Adapter

GPTS = [
    dict(rank=2, alpha=6.0, targets=["qkv", "out"]),
    dict(rank=3, alpha=4.0, targets=["qkv:kv", "up"], rslora=True),
    dict(rank=1, alpha=1.0, targets=["embedding", "qkv:q"]),
]
CONVOLUTIONS = [dict(rank=2, targets=None), dict(rank=3, targets=["conv1"])]
CASES = {
    "projections and embeddings": (
        lambda: GPT(16, 8, width=16, depth=2, heads=4, tie=False),
        torch.arange(16).view(2, 8), GPTS,
    ),
    "convolutions": (
        lambda: ResNet((1, 8, 8), 3, 8, 4), torch.randn(4, 1, 8, 8).double(), CONVOLUTIONS,
    ),
}  # fmt: skip


def trained(base, options):
    """An adapter with updates of its own."""
    model = lora(copy.deepcopy(base), **options)
    for layer in lora_layers(model).values():
        nn.init.normal_(layer.lora_b, std=0.3)
    return Adapter(dict(options), trainable_tensors(model)), model


@pytest.mark.parametrize("case", CASES)
def test_the_sum_is_that_of_the_weights(case):
    torch.manual_seed(0)
    make, x, kinds = CASES[case]
    base = make().double().eval()
    weights = dict(zip("abc", (0.5, -2.0, 1.5)))
    adapters, expected = {}, copy.deepcopy(base).requires_grad_(False)
    for name, options in zip("abc", kinds):
        adapters[name], model = trained(base, options)
        fold(model)
        with torch.no_grad():
            pairs = zip(model.parameters(), base.parameters(), expected.parameters(), strict=True)
            for changed, before, total in pairs:
                total += weights[name] * (changed - before)
    merged = copy.deepcopy(base)
    options = merge_adapters(merged, adapters, weights)
    torch.testing.assert_close(merged.eval()(x), expected(x), rtol=1e-10, atol=1e-10)
    again = lora(copy.deepcopy(base), **options)
    assert trainable_tensors(again).keys() == trainable_tensors(merged).keys()


def test_what_is_no_sum():
    base = GPT(16, 8, width=16, depth=1, heads=4)
    plain, _ = trained(base, dict(rank=1, targets=["up"]))
    dora, _ = trained(base, dict(rank=1, targets=["up"], dora=True))
    whole = Adapter(plain.options, plain.tensors | {"norm.weight": torch.ones(16)})
    for other, said in ((dora, "b is a DoRA"), (whole, "b holds norm.weight, which was trained")):
        with pytest.raises(UserError, match=said):
            merge_adapters(copy.deepcopy(base), {"a": plain, "b": other}, {"a": 1.0, "b": 1.0})


@pytest.mark.parametrize("target", ["embedding", "head", "qkv"])
def test_a_head_that_was_the_embedding_is_one_no_more_where_one_of_them_is_adapted(target):
    torch.manual_seed(0)
    sizes = dict(width=16, depth=1, heads=2)
    _, model = trained(GPT(16, 8, **sizes), dict(rank=2, targets=[target]))
    x = torch.arange(16).view(2, 8)
    expected = model.eval()(x)
    options, note = merge_own(model, {"name": "gpt", "tie": True})
    assert options["tie"] == (target == "qkv") and note == ""
    again = GPT(16, 8, **sizes, tie=options["tie"])
    load_weights(again, model_tensors(model.state_dict()), "here", [], [])
    torch.testing.assert_close(again.eval()(x), expected)


def test_a_merge_in_32_bits_loses_nothing():
    """Of weights in 16; with these the adapter computes as before but for their rounding."""
    torch.manual_seed(0)
    with torch.no_grad():
        base = GPT(16, 8, width=16, depth=1, heads=2, init="gpt2").to(torch.bfloat16)
        _, model = trained(base, dict(rank=2, alpha=1e-3, targets=["qkv", "up"]))
        x, exact = torch.arange(16).view(2, 8), copy.deepcopy(model).float().eval()
        rounded = copy.deepcopy(model).eval()
        assert "a relative error of" in merge_own(rounded, {"tie": True})[1]
        assert rounded.blocks[0].attention.qkv.weight.dtype == torch.bfloat16
        assert merge_own(model.eval(), {"tie": True}, whole=True) == ({"tie": True}, "")
        torch.testing.assert_close(model(x), exact(x))
        assert {p.dtype for p in model.parameters()} == {torch.float32}
