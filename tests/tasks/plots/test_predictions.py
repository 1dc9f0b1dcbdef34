"""What each kind of task and input gets drawn, and that the drawings say what is so."""

import io

import pytest
import torch
from torch import nn

from zoo.tasks.classification import Classification
from zoo.tasks.plots import model as model_plots
from zoo.tasks.plots import predictions
from zoo.tasks.regression import Regression
from zoo.training.evaluate import evaluate, preview
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime

RUNTIME = Runtime(torch.device("cpu"))


class Drawn(dict):
    """Stands in for the logger: renders each figure, so that what cannot be drawn fails here."""

    def figure(self, tag, figure):
        file = io.BytesIO()
        figure.savefig(file, format="png")
        assert file.getvalue()[:4] == b"\x89PNG"
        self[tag] = figure

    def text(self, tag, text):
        self[tag] = text


def drawn(task, model, inputs, target):
    torch.manual_seed(0)
    batch = {"input": inputs, "target": target}
    totals = evaluate(model, task, [batch], Precision("fp32", RUNTIME.device), RUNTIME)
    board = Drawn()
    preview(model, task, batch, totals, board, RUNTIME)
    return board


def classifier(classes, **facts):
    return Classification(classes, [f"kind {k}" for k in range(classes)], [1] * classes, **facts)


def conv_net(channels, classes, kernel=3):
    return nn.Sequential(
        nn.Conv2d(channels, 5, kernel), nn.ReLU(), nn.Flatten(), nn.LazyLinear(classes)
    )


CASES = {
    "grey images, convolution": (conv_net(1, 3), (1, 6, 6), {"confusion", "mistakes", "filters"}),
    "colour images, convolution": (
        conv_net(3, 3),
        (3, 6, 8),
        {"confusion", "mistakes", "filters"},
    ),
    "images, one linear layer": (
        nn.Sequential(nn.Flatten(), nn.Linear(36, 3)),
        (1, 6, 6),
        {"confusion", "mistakes", "filters"},
    ),
    "images, a convolution without width": (
        conv_net(1, 3, kernel=1),
        (1, 6, 6),
        {"confusion", "mistakes"},
    ),
    "images, pooled before the first weights": (
        nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4, 3)),
        (1, 6, 6),
        {"confusion", "mistakes"},
    ),
    "two features": (nn.Linear(2, 3), (2,), {"confusion", "decision_surface"}),
    "four features": (nn.Linear(4, 3), (4,), {"confusion"}),
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_input_gets_its_plots(name):
    model, shape, tags = CASES[name]
    board = drawn(classifier(3), model, torch.randn(20, *shape), torch.arange(20) % 3)
    assert set(board) == tags


@pytest.mark.parametrize("classes", [2, 30, 100])
def test_confusion_of_few_and_of_many_classes(classes):
    counts = torch.diag(torch.arange(1, classes + 1))
    counts[1, 0] = 7
    figure = predictions.confusion(counts, [f"a class of number {k}" for k in range(classes)])
    Drawn().figure("confusion", figure)
    texts = [text.get_text() for text in figure.axes[0].texts]
    if classes > 30:
        assert texts == []
    else:
        assert sorted(map(int, texts)) == sorted([*range(1, classes + 1), 7])
        places = [t.get_position() for t in figure.axes[0].texts if t.get_text() == "7"]
        assert (0, 1) in places  # true 1 is down, predicted 0 across
    total = int(counts.sum())
    assert f"{total - 7:,} of {total:,} correct" in figure.get_suptitle()


def test_the_confusion_drawn_is_the_whole_splits():
    """The batch for plots may be a part of the split; the counts are of all of it."""
    task, model = classifier(2), nn.Identity()
    logits, target = torch.eye(2).repeat(30, 1), torch.tensor([0, 1] * 30)
    whole = {"input": logits, "target": target}
    totals = evaluate(model, task, [whole], Precision("fp32", RUNTIME.device), RUNTIME)
    board = Drawn()
    few = {name: column[:4] for name, column in whole.items()}
    preview(model, task, few, totals, board, RUNTIME)
    assert [text.get_text() for text in board["confusion"].axes[0].texts] == ["30", "30"]


def test_the_worst_errors_come_first():
    logits = torch.tensor([[5.0, 0.0], [0.0, 1.0], [0.0, 9.0], [0.0, 4.0], [0.2, 0.0]])
    target = torch.tensor([0, 0, 0, 0, 0])
    chosen, errors = predictions.worst_errors(logits, target)
    assert errors and chosen.tolist() == [2, 3, 1]
    many = predictions.worst_errors(torch.tensor([[0.0, 1.0]] * 40), torch.zeros(40).long())[0]
    assert len(many) == predictions.MAX_ERRORS


def test_without_errors_the_least_confident_are_shown():
    logits = torch.tensor([[5.0, 0.0], [0.1, 0.0], [1.0, 0.0]])
    target = torch.zeros(3).long()
    chosen, errors = predictions.worst_errors(logits, target)
    assert not errors and chosen.tolist() == [1, 2, 0]
    figure = predictions.errors_grid(torch.randn(3, 1, 4, 4), logits, target, ["cat", "dog"])
    assert "No errors" in figure.get_suptitle()


def test_an_error_shows_the_true_and_the_predicted_class():
    logits, target = torch.tensor([[0.0, 2.0], [3.0, 0.0]]), torch.tensor([0, 0])
    images = torch.randn(2, 1, 4, 4)
    figure = predictions.errors_grid(images, logits, target, ["cat", "dog"])
    (label,) = [text.get_text() for text in figure.axes[0].texts]
    assert label == "true cat\npred. dog 88%"
    shown = torch.as_tensor(figure.axes[0].images[0].get_array())[..., 0]
    low, high = images[0].min(), images[0].max()
    torch.testing.assert_close(shown, (images[0, 0] - low) / (high - low))
    assert figure.get_suptitle() == "1 error (2 samples)"


def test_the_decision_surface_is_in_the_datas_units_and_the_right_way_up():
    """A model that looks at the second feature alone: rows of one colour, the classes apart."""
    model = nn.Linear(2, 2, bias=False)
    model.weight.data = torch.tensor([[0.0, -50.0], [0.0, 50.0]])
    inputs = torch.tensor([[-1.0, -2.0], [1.0, 2.0], [0.0, 1.0]])
    task = classifier(
        2, feature_names=["warmth", "wet"], feature_scales=[[10.0, 5.0], [60.0, 20.0]]
    )
    board = drawn(task, model, inputs, torch.tensor([0, 1, 1]))
    axes = board["decision_surface"].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("warmth", "wet")
    assert axes.get_xlim() == pytest.approx((5 - 0.5, 15 + 0.5), rel=1e-5)
    assert axes.get_ylim() == pytest.approx((20 - 4, 100 + 4), rel=1e-5)
    image = torch.as_tensor(axes.images[0].get_array())
    assert axes.images[0].origin == "lower"
    torch.testing.assert_close(image, image[:, :1].expand_as(image))
    bottom, top = image[0, 0], image[-1, 0]
    assert bottom[2] > bottom[0] and top[0] > top[2]  # class 0 blue below, class 1 red above


def test_a_surface_without_facts_says_that_it_is_standardised():
    board = drawn(classifier(2), nn.Linear(2, 2), torch.randn(9, 2), torch.arange(9) % 2)
    assert board["decision_surface"].axes[0].get_xlabel() == "feature 1, standardised"


def test_one_linear_layer_shows_what_each_class_looks_for():
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    weights = model_plots.first_layer_images(model, torch.zeros(1, 1, 6, 6))
    assert torch.equal(weights.flatten(1), model[1].weight)
    board = drawn(classifier(3), model, torch.randn(9, 1, 6, 6), torch.arange(9) % 3)
    axes = board["filters"].axes[0]
    assert [text.get_text() for text in axes.texts] == ["kind 0", "kind 1", "kind 2"]
    assert len(axes.images) == 3


def test_hidden_neurons_are_not_called_classes():
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3), nn.ReLU(), nn.Linear(3, 3))
    board = drawn(classifier(3), model, torch.randn(9, 1, 6, 6), torch.arange(9) % 3)
    assert not board["filters"].axes[0].texts


@pytest.mark.parametrize("outputs", [1, 2])
def test_regression_is_drawn_in_the_targets_units(outputs):
    target = torch.linspace(-1, 1, 12).view(-1, outputs)
    board = drawn(Regression(100.0, 10.0, num_outputs=outputs), nn.Identity(), target, target)
    assert set(board) == {"predicted_vs_true"}
    axes = board["predicted_vs_true"].axes[0]
    points = torch.cat([torch.as_tensor(c.get_offsets().data) for c in axes.collections])
    torch.testing.assert_close(points[:, 0], points[:, 1])
    assert points.min() == pytest.approx(90) and points.max() == pytest.approx(110)
    assert len(axes.collections) == outputs
