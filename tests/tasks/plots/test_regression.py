"""Predicted against true values, in the target's units, beside what the mean alone reaches."""

import pytest
import torch
from previews import drawn
from torch import nn

from zoo.tasks.regression import Regression


@pytest.mark.parametrize("outputs", [1, 2])
def test_regression_is_drawn_in_the_targets_units(outputs):
    target = torch.linspace(-1, 1, 12).view(-1, outputs)
    previews = drawn(Regression(100.0, 10.0, num_outputs=outputs), nn.Identity(), target, target)
    assert set(previews.figures) == {"predicted_vs_true", "residuals"}
    for figures in (previews.figures, previews.full):
        axes = figures["predicted_vs_true"].axes[0]
        points = torch.cat([torch.as_tensor(c.get_offsets().data) for c in axes.collections])
        torch.testing.assert_close(points[:, 0], points[:, 1])
        assert points.min() == pytest.approx(90) and points.max() == pytest.approx(110)
        assert len(axes.collections) == outputs


def test_the_mean_alone_is_a_line_and_a_figure():
    """Targets 90 and 110, predicted 90 and 100; the mean of training is 100."""
    target, predicted = torch.tensor([[-1.0], [1.0]]), torch.tensor([[-1.0], [0.0]])
    task = Regression(100.0, 10.0)
    previews = drawn(task, Table(predicted), torch.zeros(2, 1), target)
    card = previews.figures["predicted_vs_true"]
    assert card.texts[0].get_text() == "RMSE 7.071; always the mean: 10"
    (line,) = [line for line in card.axes[0].lines if line.get_label() == "mean"]
    assert list(line.get_ydata()) == [100, 100]


def test_residuals_are_predicted_minus_true():
    target, predicted = torch.tensor([[-1.0], [1.0]]), torch.tensor([[-1.0], [0.0]])
    previews = drawn(Regression(100.0, 10.0), Table(predicted), torch.zeros(2, 1), target)
    for figures in (previews.figures, previews.full):
        (points,) = figures["residuals"].axes[0].collections
        assert points.get_offsets().data.tolist() == [[90, 0], [100, -10]]
    assert previews.figures["residuals"].texts[0].get_text() == "Error: mean -5, RMSE 7.07"


class Table(nn.Module):
    """Gives the same outputs, whatever its input."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs = outputs

    def forward(self, x):
        return self.outputs
