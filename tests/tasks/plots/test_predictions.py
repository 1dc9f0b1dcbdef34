"""What each kind of input of a classifier gets drawn."""

import pytest
import torch
from previews import classifier, drawn
from torch import nn

from zoo.registry import MODELS
from zoo.tasks.joint_likelihood import JointLikelihood


def conv_net(channels, classes, kernel=3):
    return nn.Sequential(
        nn.Conv2d(channels, 5, kernel), nn.ReLU(), nn.Flatten(), nn.LazyLinear(classes)
    )


IMAGES, MAPS = {"confusion", "mistakes"}, {"feature_maps", "looks_at"}
CASES = {
    "grey images, convolution": (conv_net(1, 3), (1, 6, 6), IMAGES | {"filters"} | MAPS),
    "colour images, convolution": (conv_net(3, 3), (3, 6, 8), IMAGES | {"filters"} | MAPS),
    "images, one linear layer": (
        nn.Sequential(nn.Flatten(), nn.Linear(36, 3)),
        (1, 6, 6),
        IMAGES | {"filters"},
    ),
    "images, a convolution without width": (conv_net(1, 3, kernel=1), (1, 6, 6), IMAGES | MAPS),
    "images, pooled before the first weights": (
        nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4, 3)),
        (1, 6, 6),
        IMAGES,
    ),
    "two features": (nn.Linear(2, 3), (2,), {"confusion", "decision_surface", "first_layer"}),
    "four features": (nn.Linear(4, 3), (4,), {"confusion", "first_layer"}),
    "features that are not multiplied first": (
        nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3)),
        (4,),
        {"confusion"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_input_gets_its_plots(name):
    model, shape, tags = CASES[name]
    previews = drawn(classifier(3), model, torch.randn(20, *shape), torch.arange(20) % 3)
    assert set(previews.figures) == tags


MEAN, STD = [0.8, 0.1, 0.5], [0.02, 0.3, 0.1]
SCALE = {"pixel_mean": MEAN, "pixel_std": STD}


def standardised(unit):
    return (unit - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def orange(number):
    """Images with black, white and orange, standardised by channels that differ much."""
    unit = torch.zeros(number, 3, 4, 4)
    unit[:, :, 0], unit[:, :, 2] = 1.0, torch.tensor([1.0, 0.5, 0.0])[:, None]
    return unit


def shown(figure):
    return torch.as_tensor(figure.axes[0].images[0].get_array())[:4, :4].permute(2, 0, 1).float()


def test_images_have_their_own_colours():
    unit, model = orange(6), nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    previews = drawn(classifier(3, **SCALE), model, standardised(unit), torch.arange(6) % 3)
    for figures in (previews.figures, previews.full):
        torch.testing.assert_close(shown(figures["mistakes"]), unit[0], atol=1e-5, rtol=0)


def test_means_of_classes_have_their_own_colours():
    model = MODELS.build({"name": "naive_bayes"}, input_shape=(3, 4, 4), num_classes=2)
    with torch.no_grad():
        model.mean.copy_(standardised(orange(2)).flatten(1))
    task = JointLikelihood(2, ["a", "b"], [3, 3], **SCALE)
    previews = drawn(task, model, standardised(orange(6)), torch.arange(6) % 2)
    card = shown(previews.figures["class_means"])
    torch.testing.assert_close(card, orange(1)[0], atol=1e-5, rtol=0)
