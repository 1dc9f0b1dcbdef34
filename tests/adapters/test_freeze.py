"""Freezing: which parameters are trained, and that running statistics do not change."""

from pathlib import Path

import torch

from zoo.adapters.freeze import FrozenBatchNorm, freeze
from zoo.adapters.lora import lora
from zoo.models.llama import Llama
from zoo.models.resnet import ResNet
from zoo.training.checkpoint import load_model, trainable_state_dict, trainable_tensors

X = torch.randn(4, 1, 8, 8)


def resnet():
    torch.manual_seed(0)
    return ResNet((1, 8, 8), 3, 8, 4)


def test_only_the_named_parameters_are_trained():
    model = freeze(resnet(), ["fc.bias"])
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["fc.bias"]
    assert trainable_state_dict(model).keys() == {"fc.bias"}


def test_running_statistics_of_frozen_norms_do_not_change():
    model = freeze(resnet().eval())
    before = model(X)
    model.train()
    model(10 * X + 3)
    assert torch.equal(model.eval()(X), before)


def test_a_norm_that_is_trained_keeps_its_kind():
    model = freeze(resnet().train(), ["bn1.weight"])
    assert not isinstance(model.bn1, FrozenBatchNorm)
    assert isinstance(model.layer1[0].bn1, FrozenBatchNorm)
    before = model.bn1.running_mean.clone()
    model(10 * X + 3)
    assert not torch.equal(model.bn1.running_mean, before)


def test_names_and_values_of_the_state_stay():
    model = resnet()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    after = freeze(model).state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_what_a_new_part_has_counted_is_in_its_checkpoint():
    """Running statistics, and the bias that keeps experts alike busy; not those that are frozen."""
    norm, restored = (freeze(resnet().train(), ["bn1.weight", "bn1.bias"]) for _ in range(2))
    norm(10 * X + 3)
    assert "layer1.0.bn1.running_mean" not in trainable_tensors(norm)
    load_model(restored, trainable_tensors(norm), Path("here"))
    assert torch.equal(restored.eval()(X), norm.eval()(X))
    mixture = dict(experts=4, active=2, inner=8)
    experts = Llama(11, 8, width=16, depth=2, heads=2, mixture=mixture)
    lora(experts, fresh=["blocks.1.feed_forward.router.weight"], targets=["qkv", "router"])
    assert "blocks.1.feed_forward.bias" in trainable_tensors(experts)
    assert "blocks.0.feed_forward.bias" not in trainable_tensors(experts)
