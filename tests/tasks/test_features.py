"""Features of classifiers as points of TensorBoard's projector."""

import pytest
import torch
from previews import classifier
from torch import nn

from zoo.tasks.features import MOST_FEATURES, thumbnails


class Net(nn.Module):
    """Images to classes by the mean of each quarter of the features."""

    def __init__(self, width, classes):
        super().__init__()
        self.body, self.head = nn.Linear(12, width), nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.body(x.flatten(1)).relu())


@pytest.mark.parametrize("width", [8, MOST_FEATURES + 30])
def test_features_are_what_the_head_reads_with_the_classes_that_it_answers(width):
    torch.manual_seed(0)
    model, images = Net(width, 3).eval(), torch.randn(120, 1, 3, 4)
    target = torch.arange(120) % 3
    with torch.no_grad():
        points = classifier(3).points(model, {"input": images, "target": target})
        features = model.body(images.flatten(1)).relu()
        answers = model.head(features).argmax(1)
    exact = {"compute_mode": "donot_use_mm_for_euclid_dist"}
    distances = torch.cdist(features, features, **exact)
    torch.testing.assert_close(torch.cdist(points.vectors, points.vectors, **exact), distances)
    assert points.vectors.shape[1] == min(width, 120 if width > MOST_FEATURES else width)
    assert points.columns["class"] == [f"kind {k}" for k in target.tolist()]
    assert points.columns["predicted"] == [f"kind {k}" for k in answers.tolist()]
    expected = ["1" if a == t else "0" for a, t in zip(answers.tolist(), target.tolist())]
    assert points.columns["correct"] == expected and {"1", "0"} == set(expected)
    assert points.images.shape == (120, 28, 28, 3)
    assert not model.head._forward_pre_hooks


def test_thumbnails_are_framed_in_the_colour_of_their_class():
    images = torch.zeros(4, 1, 8, 8)
    images[:, :, :, 4:] = torch.tensor([1.0, 5.0, -1.0, 0.0])[:, None, None, None]
    drawn = thumbnails(images, torch.tensor([0, 1, 0, 2]), 3)
    frames = [tuple(image[0, 0].tolist()) for image in drawn]
    assert frames[0] == frames[2] and len(set(frames)) == 3
    assert drawn[0, 14, 4].tolist() == [0] * 3 and drawn[1, 14, -4].tolist() == [255] * 3
    assert drawn[2, 14, 4].tolist() == [255] * 3, "each image over its own range"


def test_a_model_whose_output_layer_has_another_name_has_no_points():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    batch = {"input": torch.randn(3, 4), "target": torch.zeros(3, dtype=torch.long)}
    assert classifier(2).points(model, batch) is None
