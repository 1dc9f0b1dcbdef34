"""Stages of convolutional models, and Grad-CAM against other ways to compute it."""

import pytest
import torch
from torch import nn

from zoo.inference.feature_maps import grad_cam, stage_to_explain, stages
from zoo.models.cnn import CNN
from zoo.models.mlp import MLP
from zoo.models.resnet import ResNet
from zoo.models.vit import ViT

MODELS = {
    "cnn": lambda: CNN((3, 16, 16), 4, width=4),
    "resnet": lambda: ResNet((3, 16, 16), 4, depth=8, width=4),
    "resnet for photographs": lambda: ResNet((3, 64, 64), 4, depth=18, width=4),
}


def trained(build):
    """A model whose statistics and weights are not those of its initialisation."""
    torch.manual_seed(0)
    model = build()
    side = 64 if getattr(model, "maxpool", None) is not None else 16
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    images = torch.randn(5, 3, side, side)
    model(images)  # in training mode: running statistics
    return model.eval(), images


@pytest.mark.parametrize("name", MODELS)
def test_after_average_pooling_and_a_linear_layer_it_is_cam(name):
    """Zhou et al., 2016: the maps, weighted by the class's row of the linear layer."""
    model, images = trained(MODELS[name])
    last = stages(model, images)[-1]
    classes = torch.tensor([0, 1, 2, 3, 1])
    weights = (model.head if name == "cnn" else model.fc).weight[classes]  # (5, C)
    expected = torch.einsum("nc,nchw->nhw", weights, last.maps).relu()
    got = grad_cam(model, last.module, images, classes)
    torch.testing.assert_close(got, expected / expected[0].numel(), rtol=1e-4, atol=1e-6)
    assert got.amax() > 0 and all(parameter.grad is None for parameter in model.parameters())


def test_in_an_earlier_stage_it_follows_the_slope_of_the_logit():
    """Against differences: what the logit gains when a whole map rises a little."""
    model, images = trained(MODELS["cnn"])
    model, images = model.double(), images[:1].double()
    middle = stages(model, images)[1]
    channels, step = middle.maps.shape[1], 1e-5
    slopes = []
    for channel in range(channels):
        rise = torch.zeros(1, channels, 1, 1, dtype=torch.float64)
        rise[:, channel] = step
        ends = []
        for sign in (1, -1):
            handle = middle.module.register_forward_hook(lambda *a, d=sign * rise: a[2] + d)
            with torch.no_grad():
                ends.append(float(model(images)[0, 2]))
            handle.remove()
        slopes.append((ends[0] - ends[1]) / (2 * step))
    weights = torch.tensor(slopes).double() / middle.maps[0, 0].numel()
    expected = (weights[:, None, None] * middle.maps[0]).sum(0).relu()
    got = grad_cam(model, middle.module, images, torch.tensor([2]))[0].double()
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-6)


def test_a_frozen_model_can_be_explained_and_is_left_as_it_was():
    model, images = trained(MODELS["resnet"])
    before = model(images).detach()
    model.requires_grad_(False)
    last = stages(model, images)[-1]
    with torch.no_grad():
        assert grad_cam(model, last.module, images, torch.zeros(5).long()).amax() > 0
    assert torch.equal(model(images), before)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("name", MODELS)
def test_stages_are_the_last_maps_of_each_resolution(name):
    model, images = trained(MODELS[name])
    found = stages(model, images)
    sides = [stage.maps.shape[2] for stage in found]
    assert sides == ([32, 16, 8, 4, 2] if "photographs" in name else [16, 8, 4])
    assert stage_to_explain(found).maps.shape[2] == 4


def test_a_head_of_several_layers_is_no_obstacle_and_plain_pooling_counts():
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3),
    )  # fmt: skip
    (stage,) = stages(model, torch.randn(1, 1, 8, 8))
    assert stage.module is model[1] and stage.maps.shape == (1, 2, 6, 6)


@pytest.mark.parametrize(
    "model",
    [
        MLP((1, 8, 8), 3, width=4),
        ViT((1, 8, 8), 3, patch=4, width=16, depth=1, heads=2),
        nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3)),
    ],
    ids=["mlp", "vit", "pooling alone"],
)
def test_other_models_have_no_stages(model):
    assert stages(model.eval(), torch.randn(1, 1, 8, 8)) == []
