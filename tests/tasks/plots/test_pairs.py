"""The weights of pairs: which cells are drawn, and which pairs are named."""

import numpy as np
import pytest
import torch
from previews import Previews

from zoo.registry import MODELS
from zoo.tasks.plots.pairs import draw_pairs

NAMES = ["user=a", "user=b", "user other", "film=x", "film=y", "hour"]
SAMPLES = torch.tensor([[1.0, 0, 0, 1, 0, 0.3], [0, 1, 0, 0, 1, -0.2], [1, 0, 0, 0, 1, 0.9]])


def drawn(outputs, classes=None):
    options = {"name": "factorization_machine", "rank": 2}
    model = MODELS.build(options, input_shape=(6,), num_outputs=outputs)
    with torch.no_grad():
        model.vectors.zero_()
        model.vectors[-1, 0, :] = torch.tensor([2.0, 1, 9, -1, 1, 0.1])
    previews = Previews()
    draw_pairs(model, SAMPLES, NAMES, classes, previews)
    return previews


@pytest.mark.parametrize(("outputs", "classes"), [(1, None), (2, ["no", "yes"])])
def test_pairs_of_two_columns_are_cells_and_the_largest_are_named(outputs, classes):
    previews = drawn(outputs, classes)
    cells = previews.full["pairs"].axes[0].images[0].get_array()
    nan = np.nan  # a feature that no sample has, `user other`, is left out
    expected = [
        [nan, nan, -2, 2, 0.2],
        [nan, nan, -1, 1, 0.1],
        [-2, -1, nan, nan, -0.1],
        [2, 1, nan, nan, 0.1],
        [0.2, 0.1, -0.1, 0.1, nan],
    ]
    np.testing.assert_allclose(np.ma.filled(cells, nan), expected, rtol=1e-5)
    texts = [text.get_text() for text in previews.figures["pairs"].texts]
    assert "user=a × film=x -2.00" in texts and "user=a × film=y +2.00" in texts


def test_only_pairs_that_rows_may_have_are_named():
    few = SAMPLES[:2, [0, 1, 5]]  # two categories of one column, and a number: two pairs
    model = MODELS.build(
        {"name": "factorization_machine", "rank": 2}, input_shape=(3,), num_outputs=1
    )
    previews = Previews()
    draw_pairs(model, few, [NAMES[k] for k in (0, 1, 5)], None, previews)
    named = [text.get_text() for text in previews.figures["pairs"].texts]
    assert sorted(t.rsplit(" ", 1)[0] for t in named if " × " in t) == [
        "user=a × hour",
        "user=b × hour",
    ]


def test_more_classes_have_strengths_and_other_models_nothing():
    texts = [text.get_text() for text in drawn(3, ["a", "b", "c"]).figures["pairs"].texts]
    assert "user=a × film=x 1.15" in texts  # 2 / sqrt(3)
    previews = Previews()
    draw_pairs(torch.nn.Linear(6, 1), SAMPLES, NAMES, None, previews)
    assert not previews.figures
