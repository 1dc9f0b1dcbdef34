"""The points of a run, asked of TensorBoard's own plugin."""

import io

import numpy
import pytest
import torch
from board import Board

from zoo.runs.projector import write_points

VECTORS = torch.tensor([[1.0, -2.5, 0.0], [1 / 3, 1e-9, 4e20], [0.0, 0.0, 0.0]])
LABELS = {"class": ["a\tb", "new\nline\r", ""], "predicted": ["狗", "half \ud800", "\x85 "]}


@pytest.fixture
def run(tmp_path):
    """A run with events, beside one without points."""
    from torch.utils.tensorboard import SummaryWriter

    for name in ("outputs/a/1", "outputs/b/2"):
        with SummaryWriter(str(tmp_path / name)) as writer:
            writer.add_scalar("loss", 1.0, 1)
    images = torch.arange(3, dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 4, 6, 3) * 100
    write_points(tmp_path / "outputs/b/2", "features", VECTORS, LABELS, images)
    return tmp_path / "outputs/b/2"


def test_the_page_gets_the_points_of_the_run_that_has_some(run):
    board = Board(run.parents[1])
    assert board.projected() == ["b/2"]
    config, vectors, labels, sheet = board.points("b/2")
    assert config["tensorName"] == "features" and config["tensorShape"] == [3, 3]
    numpy.testing.assert_allclose(vectors, VECTORS, rtol=1e-3)
    assert labels == [["class", "predicted"], ["a b", "狗"], ["new line", "half"],
                      ["(empty)", "(empty)"]]  # fmt: skip
    assert config["sprite"]["singleImageDim"] == [6, 4]
    from PIL import Image

    picture = numpy.asarray(Image.open(io.BytesIO(sheet)).convert("RGB"))
    assert picture.shape == (8, 12, 3)  # two rows of two, the last one blank
    assert [int(picture[y, x, 0]) for y, x in ((0, 0), (0, 6), (4, 0))] == [0, 100, 200]


def test_they_are_replaced(run):
    write_points(run, "words", VECTORS[:2, :2], {"word": ["new\u2028york", "sea"]})
    config, vectors, labels, sheet = Board(run.parents[1]).points("b/2")
    assert vectors.shape == (2, 2) and labels == [["new york"], ["sea"]] and sheet is None
