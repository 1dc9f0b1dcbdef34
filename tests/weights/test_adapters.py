"""Adapters on one base, one after another."""

import copy

import pytest
import torch
from torch import nn

from zoo.adapters.lora import lora, lora_layers
from zoo.errors import UserError
from zoo.models.gpt import GPT
from zoo.training.checkpoint import trainable_tensors
from zoo.weights.adapters import apply_adapter, check_exchange, each_adapter
from zoo.weights.peft import Adapter, dump, read_peft, write_peft

V, T = 61, 16


BASE = dict(rank=3, alpha=6.0, dropout=0.0, rslora=False)


def test_adapters_change_places(tmp_path):
    """Several on one base: each gives what it gives alone, and none is the base to the bit."""
    torch.manual_seed(0)
    base = GPT(V, T, width=16, depth=1, heads=2).eval()
    x = torch.randint(V, (2, T))
    plain, outputs, adapters = base(x), [], []
    for rank, targets in ((2, ["qkv"]), (4, ["up", "down"])):
        model = lora(copy.deepcopy(base), rank=rank, targets=targets).eval()
        for layer in lora_layers(model).values():
            nn.init.normal_(layer.lora_b)
        options = BASE | {"rank": rank, "targets": targets, "alpha": 16.0}
        dump(tmp_path, *write_peft(model, options, None, {}, "base"))
        adapters.append(read_peft(tmp_path, None, {}))
        outputs.append(model(x))
    for k in (0, 1, 0):
        apply_adapter(base, adapters[k], "here")
        assert torch.equal(base(x), outputs[k])
    apply_adapter(base, None, "")
    assert torch.equal(base(x), plain)


def test_a_head_of_one_adapter_is_not_that_of_the_next():
    torch.manual_seed(0)
    base = GPT(6, 8, width=16, depth=1, heads=2, num_outputs=3).eval()
    trained = lora(copy.deepcopy(base), fresh=["head.weight", "head.bias"], rank=2)
    with torch.no_grad():
        for parameter in trained.parameters():
            if parameter.requires_grad:
                parameter.normal_()
    adapters = {"whole": Adapter({"rank": 2}, trainable_tensors(trained)), "none": None}
    tokens, model = torch.tensor([[1, 2, 3]]), copy.deepcopy(base)
    for _ in "two texts":
        outputs = {name: model(tokens) for name in each_adapter(model, adapters)}
        torch.testing.assert_close(outputs["whole"], trained(tokens))
        assert torch.equal(outputs["none"], base(tokens))
    check_exchange(base, {}, adapters)
    check_exchange(trained, {}, {"whole": adapters["whole"]})
    with pytest.raises(UserError, match="adapters=none: the run has trained head.bias whole"):
        check_exchange(trained, {}, adapters)
