"""What each kind of task and input gets drawn, and that the drawings say what is so."""

import pytest
import torch
from previews import RUNTIME, Previews, classifier, drawn
from torch import nn

from zoo.tasks.plots import predictions
from zoo.tasks.regression import Regression
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision


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
    figures = drawn(classifier(3), model, torch.randn(20, *shape), torch.arange(20) % 3)
    assert set(figures) == tags


@pytest.mark.parametrize("classes", [2, 30, 100])
def test_confusion_of_few_and_of_many_classes(classes):
    counts = torch.diag(torch.arange(1, classes + 1))
    counts[1, 0] = 7
    figure = predictions.confusion(counts, [f"a class of number {k}" for k in range(classes)])
    Previews().figure("confusion", figure)
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
    previews = Previews()
    few = {name: column[:4] for name, column in whole.items()}
    task.preview(model.eval(), few, totals, previews)
    assert [text.get_text() for text in previews.figures["confusion"].axes[0].texts] == ["30", "30"]


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


@pytest.mark.parametrize("outputs", [1, 2])
def test_regression_is_drawn_in_the_targets_units(outputs):
    target = torch.linspace(-1, 1, 12).view(-1, outputs)
    figures = drawn(Regression(100.0, 10.0, num_outputs=outputs), nn.Identity(), target, target)
    assert set(figures) == {"predicted_vs_true"}
    axes = figures["predicted_vs_true"].axes[0]
    points = torch.cat([torch.as_tensor(c.get_offsets().data) for c in axes.collections])
    torch.testing.assert_close(points[:, 0], points[:, 1])
    assert points.min() == pytest.approx(90) and points.max() == pytest.approx(110)
    assert len(axes.collections) == outputs
