"""Decision surfaces: in the data's units, the right way up."""

import pytest
import torch
from previews import classifier, drawn
from torch import nn


@pytest.mark.parametrize("size", ["card", "full"])
def test_the_decision_surface_is_in_the_datas_units_and_the_right_way_up(size):
    """A model that looks at the second feature alone: rows of one colour, the classes apart."""
    model = nn.Linear(2, 2, bias=False)
    model.weight.data = torch.tensor([[0.0, -50.0], [0.0, 50.0]])
    inputs = torch.tensor([[-1.0, -2.0], [1.0, 2.0], [0.0, 1.0]])
    task = classifier(
        2, feature_names=["warmth", "wet"], feature_scales=[[10.0, 5.0], [60.0, 20.0]]
    )
    previews = drawn(task, model, inputs, torch.tensor([0, 1, 1]))
    figures = previews.figures if size == "card" else previews.full
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
    previews = drawn(classifier(2), nn.Linear(2, 2), torch.randn(9, 2), torch.arange(9) % 2)
    axes = previews.full["decision_surface"].axes[0]
    assert axes.get_xlabel() == "feature 1, standardised"


def test_wrong_samples_are_crosses_in_the_legend():
    model = nn.Linear(2, 2, bias=False)
    model.weight.data = torch.tensor([[0.0, -50.0], [0.0, 50.0]])
    inputs = torch.tensor([[-1.0, -2.0], [1.0, 2.0], [0.0, 1.0]])
    previews = drawn(classifier(2), model, inputs, torch.tensor([0, 1, 0]))
    card = previews.figures["decision_surface"]
    shown = [text.get_text() for text in card.axes[0].get_legend().texts]
    assert shown == ["kind 0", "kind 0, wrong", "kind 1"]
    assert card.texts[0].get_text() == "2 of 3 samples correct"
