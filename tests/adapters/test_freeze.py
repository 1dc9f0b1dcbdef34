"""Freezing: which parameters are trained, and that running statistics do not change."""

import torch

from zoo.adapters.freeze import FrozenBatchNorm, freeze
from zoo.models.resnet import ResNet
from zoo.training.checkpoint import trainable_state_dict

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
