"""Plots of a model: decision surfaces in the data's units, weights of the first layer."""

import pytest
import torch
from previews import classifier, drawn
from torch import nn

from zoo.tasks.plots.model import first_layer_images


def test_the_decision_surface_is_in_the_datas_units_and_the_right_way_up():
    """A model that looks at the second feature alone: rows of one colour, the classes apart."""
    model = nn.Linear(2, 2, bias=False)
    model.weight.data = torch.tensor([[0.0, -50.0], [0.0, 50.0]])
    inputs = torch.tensor([[-1.0, -2.0], [1.0, 2.0], [0.0, 1.0]])
    task = classifier(
        2, feature_names=["warmth", "wet"], feature_scales=[[10.0, 5.0], [60.0, 20.0]]
    )
    figures = drawn(task, model, inputs, torch.tensor([0, 1, 1]))
    axes = figures["decision_surface"].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("warmth", "wet")
    assert axes.get_xlim() == pytest.approx((5 - 0.5, 15 + 0.5), rel=1e-5)
    assert axes.get_ylim() == pytest.approx((20 - 4, 100 + 4), rel=1e-5)
    image = torch.as_tensor(axes.images[0].get_array())
    assert axes.images[0].origin == "lower"
    torch.testing.assert_close(image, image[:, :1].expand_as(image))
    bottom, top = image[0, 0], image[-1, 0]
    assert bottom[2] > bottom[0] and top[0] > top[2]  # class 0 blue below, class 1 red above


def test_a_surface_without_facts_says_that_it_is_standardised():
    figures = drawn(classifier(2), nn.Linear(2, 2), torch.randn(9, 2), torch.arange(9) % 2)
    assert figures["decision_surface"].axes[0].get_xlabel() == "feature 1, standardised"


def test_one_linear_layer_shows_what_each_class_looks_for():
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    weights = first_layer_images(model, torch.zeros(1, 1, 6, 6))
    assert torch.equal(weights.flatten(1), model[1].weight)
    figures = drawn(classifier(3), model, torch.randn(9, 1, 6, 6), torch.arange(9) % 3)
    axes = figures["filters"].axes[0]
    assert [text.get_text() for text in axes.texts] == ["kind 0", "kind 1", "kind 2"]
    assert len(axes.images) == 3


def test_hidden_neurons_are_not_called_classes():
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3), nn.ReLU(), nn.Linear(3, 3))
    figures = drawn(classifier(3), model, torch.randn(9, 1, 6, 6), torch.arange(9) % 3)
    assert not figures["filters"].axes[0].texts
