"""The fit of one feature: in units, with the true function where it is known, as a film too."""

import pytest
import torch
from previews import Previews

from zoo.registry import MODELS, TASKS

BATCH = {"input": torch.tensor([[-1.0], [0.0], [1.0]]), "target": torch.tensor([[0.0], [1], [2]])}


class Frames(Previews):
    """Keeps the frames of a film too."""

    def frame(self, tag, draw, caption=""):
        self.film = (tag, draw(), caption)


def drawn(**facts):
    model = MODELS.build({"name": "mlp", "depth": 0}, input_shape=(1,), num_outputs=1)
    with torch.no_grad():
        model.head.weight.fill_(1.0)
    task = TASKS.build({"name": "regression"}, target_mean=5.0, target_std=2.0, **facts)
    previews = Frames()
    with torch.no_grad():
        task.film(model, BATCH, {}, previews)
        task.preview(model, BATCH, {}, previews)
    return task, previews


def test_the_line_and_the_samples_are_in_units():
    facts = {"feature_names": ["x"], "feature_scales": [[10.0, 3.0]]}
    task, previews = drawn(**facts, true_curve=[[7.0, 5.0], [13.0, 9.0]])
    tag, card, caption = previews.film
    assert task.films and tag == "fit" and len(card.axes[0].lines) == 2 and "at each" in caption
    axes = previews.full["fit"].axes[0]
    model, true = axes.lines
    x, y = model.get_data()
    assert (x[0], x[-1]) == pytest.approx((6.7, 13.3))
    assert (y[0], y[-1]) == pytest.approx((2.8, 7.2))  # 5 + 2 times what was standardised
    assert axes.collections[0].get_offsets().tolist() == [[7, 5], [10, 7], [13, 9]]
    assert true.get_xdata().tolist() == [7, 13]


def test_without_the_function_and_with_two_features():
    _, previews = drawn(feature_names=["x"])
    assert len(previews.full["fit"].axes[0].lines) == 1
    task = TASKS.build(
        {"name": "regression"}, target_mean=0.0, target_std=1.0, feature_names=["x", "y"]
    )
    assert not task.films
