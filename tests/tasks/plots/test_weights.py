"""Weights of the first layer: images, bars, cells."""

import torch
from previews import classifier, drawn
from torch import nn

from zoo.tasks.plots.weights import first_layer_images
from zoo.tasks.regression import Regression


def texts(card):
    return [text.get_text() for text in card.texts]


def test_one_linear_layer_shows_what_each_class_looks_for():
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    weights = first_layer_images(model, torch.zeros(1, 1, 6, 6))
    assert torch.equal(weights.flatten(1), model[1].weight)
    previews = drawn(classifier(3), model, torch.randn(9, 1, 6, 6), torch.arange(9) % 3)
    axes = previews.full["filters"].axes[0]
    assert [text.get_text() for text in axes.texts] == ["kind 0", "kind 1", "kind 2"]
    assert len(axes.images) == 3
    card = previews.figures["filters"]
    assert texts(card) == ["First layer: 3 classes", "kind 0", "kind 1", "kind 2"]


def test_hidden_neurons_are_not_called_classes():
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3), nn.ReLU(), nn.Linear(3, 3))
    previews = drawn(classifier(3), model, torch.randn(9, 1, 6, 6), torch.arange(9) % 3)
    assert not previews.full["filters"].axes[0].texts
    assert texts(previews.figures["filters"]) == ["First layer: 3 neurons"]


def test_of_many_filters_the_card_shows_the_largest():
    model = nn.Sequential(nn.Conv2d(1, 40, 3), nn.Flatten(), nn.Linear(160, 3))
    model[0].weight.data *= torch.linspace(1, 9, 40)[:, None, None, None]
    previews = drawn(classifier(3), model, torch.randn(9, 1, 4, 4), torch.arange(9) % 3)
    card, full = previews.figures["filters"], previews.full["filters"]
    assert texts(card) == ["First layer: 18 of 40 filters"] and len(full.axes[0].images) == 40
    order = model[0].weight.flatten(1).norm(dim=1).argsort(descending=True)[:18]
    last = torch.as_tensor(card.axes[0].images[-1].get_array())
    same = torch.as_tensor(full.axes[0].images[int(order.max())].get_array())
    torch.testing.assert_close(last, same)


def test_a_neuron_of_two_features_has_a_bar_for_each():
    """Rain rises with the second weight minus the first, the difference of the log-odds."""
    model = nn.Linear(2, 2)
    model.weight.data = torch.tensor([[1.0, 0.5], [0.0, 3.0]])
    task = classifier(2, feature_names=["warmth", "wet"])
    previews = drawn(task, model, torch.randn(9, 2), torch.arange(9) % 2)
    for figures in (previews.figures, previews.full):
        axes = figures["first_layer"].axes[0]
        assert [bar.get_width() for bar in axes.patches] == [2.5, -1.0]
        assert [label.get_text() for label in axes.get_yticklabels()] == ["wet", "warmth"]
    assert "log-odds of kind 1" in previews.captions["first_layer"]


def test_a_network_of_a_table_has_cells_with_the_largest_features_and_neurons_first():
    model = nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 1))
    scale = torch.arange(1.0, 13.0)
    model[0].weight.data = torch.arange(1.0, 21.0)[:, None] * scale
    task = Regression(0.0, 1.0, feature_names=[f"f{k}" for k in range(12)])
    previews = drawn(task, model, torch.randn(9, 12), torch.randn(9, 1))
    axes = previews.figures["first_layer"].axes[0]
    cells = torch.as_tensor(axes.images[0].get_array())  # features down, neurons across
    assert cells.shape == (8, 12) and cells[0, 0] == 12 * 20 and cells[-1, -1] == 5 * 9
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [f"f{k}" for k in range(11, 3, -1)]
    assert (
        torch.as_tensor(previews.full["first_layer"].axes[0].images[0].get_array()).numel() == 240
    )
