"""LoRA and DoRA on every kind of layer: no change at first, only the update is trained, folding is
exact."""

import copy

import pytest
import torch
from torch import nn

from zoo.adapters.lora import adaptable_layers, fold, lora, lora_layers
from zoo.errors import UserError
from zoo.models.gpt import GPT
from zoo.models.resnet import ResNet
from zoo.naming import in_head
from zoo.registry import MODELS
from zoo.training.checkpoint import trainable_state_dict

TOKENS = torch.arange(24).view(3, 8) % 16


def gpt(**options):
    torch.manual_seed(0)
    return GPT(16, 8, width=16, depth=2, heads=4, **options)


def with_update(model):
    """The model, with B that is not zero, and lengths that are not those of the weight."""
    for layer in lora_layers(model).values():
        nn.init.normal_(layer.lora_b, std=0.3)
        if layer.lora_magnitude is not None:
            layer.lora_magnitude.data *= 1 + torch.rand(len(layer.lora_magnitude))
    return model


CASES = {
    "whole projections": (gpt, TOKENS, ["qkv", "out"]),
    "queries and values": (gpt, TOKENS, ["qkv:qv"]),
    "shared heads": (lambda: gpt(kv_heads=2), TOKENS, ["qkv:kv", "up"]),
    "an embedding": (lambda: gpt(tie=False), TOKENS, ["embedding"]),
    "all linear layers": (gpt, TOKENS, None),
    "convolutions": (lambda: ResNet((1, 8, 8), 3, 8, 4), torch.randn(4, 1, 8, 8), None),
}
every_case = pytest.mark.parametrize("case", CASES)
both_kinds = pytest.mark.parametrize("dora", [False, True], ids=["lora", "dora"])


def adapted(case, **options):
    make, x, targets = CASES[case]
    model = make().eval()
    return model, lora(copy.deepcopy(model), targets=targets, **options).eval(), x


@every_case
def test_at_first_nothing_changes_to_the_bit(case):
    model, other, x = adapted(case)
    assert torch.equal(model(x), other(x))


@every_case
def test_at_first_dora_changes_nothing(case):
    """But the order in which a bias is added."""
    model, other, x = adapted(case, dora=True)
    torch.testing.assert_close(model(x), other(x), rtol=1e-5, atol=1e-6)


@both_kinds
@every_case
def test_switched_off_it_is_the_plain_model_to_the_bit(case, dora):
    model, other, x = adapted(case, dora=dora)
    before = with_update(other)(x)
    layers = lora_layers(other).values()
    for layer in layers:
        layer.adapter_on = False
    assert torch.equal(other(x), model(x)) and not torch.equal(before, model(x))
    for layer in layers:
        layer.adapter_on = True
    assert torch.equal(other(x), before)


@both_kinds
@every_case
def test_folded_it_is_a_plain_model_again(case, dora):
    model, other, x = adapted(case, dora=dora)
    before = with_update(other)(x)
    assert not torch.allclose(before, model(x), atol=1e-2)
    fold(other)
    torch.testing.assert_close(other(x), before, rtol=1e-4, atol=1e-5)
    norms = "FrozenBatchNorm"
    kinds = [type(m) for m in model.modules() if "BatchNorm" not in type(m).__name__]
    assert [type(m) for m in other.modules() if type(m).__name__ != norms] == kinds
    assert other.state_dict().keys() == model.state_dict().keys()


@both_kinds
@every_case
def test_only_the_update_is_trained(case, dora):
    _, model, x = adapted(case, dora=dora)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    with_update(model).train()
    model(x).square().sum().backward()
    with torch.no_grad():
        for p in model.parameters():
            if p.grad is not None:
                p -= 0.1 * p.grad
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]) != (".lora_" in name), name
    assert trainable_state_dict(model).keys() == {name for name in before if ".lora_" in name}


def test_adapting_queries_and_values_leaves_the_keys_unchanged():
    _, model, _ = adapted("queries and values")
    layer = with_update(model).blocks[0].attention.qkv
    delta = layer.delta()  # (48, 16): queries, keys, values
    assert (delta[16:32] == 0).all() and (delta[:16] != 0).any() and (delta[32:] != 0).any()
    assert layer.lora_b.shape == (32, 8) and layer.lora_a.shape == (16, 16)


def test_dropout_while_training_only():
    _, model, x = adapted("all linear layers", dropout=0.5)
    with_update(model)
    assert torch.equal(model(x), model(x))
    model.train()
    assert not torch.equal(model(x), model(x))


def test_parameters_without_pretrained_values_are_trained_too():
    model = lora(gpt(num_outputs=3), fresh=["head.weight", "head.bias"], targets=["qkv"])
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {"head.weight", "head.bias"} < trained
    assert len(trained) == 2 + 2 * 2


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["q_proj"], "'q_proj' matches no layer; .*attention.qkv.*feed_forward.up"),
        (["qkv", "nothing"], "'nothing' matches no layer"),
        (["out:q"], "only qkv has parts"),
        (["qkv:x"], "only qkv has parts"),
    ],
)
def test_targets_that_match_nothing(targets, message):
    with pytest.raises(UserError, match=message):
        lora(gpt(), targets=targets)


@pytest.mark.parametrize("options", [{"rank": 0}, {"dropout": 1.0}])
def test_values_out_of_range(options):
    with pytest.raises(UserError, match="expected rank above 0 and dropout"):
        lora(gpt(), **options)


@pytest.mark.parametrize("name", MODELS.names())
def test_every_model_can_be_adapted(name):
    """By its linear layers and convolutions, or where there are none by what the error lists; a
    model of other parameters is refused."""
    model = MODELS.build({"name": name, **MODELS[name].tests["tiny"]})
    layers = [layer for layer in adaptable_layers(model) if not in_head(layer)]
    if not layers:
        with pytest.raises(UserError, match="no layer but the head; use adapter=none"):
            lora(model)
        return
    try:
        lora(model)
    except UserError as error:
        assert "could be adapted" in str(error) and layers[0] in str(error)
        lora(model, targets=["*embedding*" if name == "rnn" else "*"])
    assert lora_layers(model)


def test_parts_of_a_layer_may_be_named_one_by_one():
    apart, together = (lora(gpt(), targets=t) for t in (["qkv:v", "qkv:q"], ["qkv:qv"]))
    rows = [[layer.rows for layer in lora_layers(model).values()] for model in (apart, together)]
    assert rows[0] == rows[1] == [[(0, 16), (32, 48)]] * 2


@pytest.mark.parametrize("targets", [["qkv", "qkv:v"], ["qkv:v", "qkv"], ["qkv:v", "qkv", "qkv:q"]])
def test_a_layer_named_as_a_whole_stays_whole(targets):
    both, whole = (lora_layers(lora(gpt(), targets=t)) for t in (targets, ["qkv"]))
    for name, layer in both.items():
        assert layer.rows == whole[name].rows
