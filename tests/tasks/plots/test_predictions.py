"""What each kind of input of a classifier gets drawn."""

import pytest
import torch
from previews import classifier, drawn
from torch import nn


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
