"""Feature maps and what a model looks at: the right image, class and place."""

import numpy
import torch
from previews import classifier, drawn
from torch import nn

from zoo.tasks.plots.activations import overlay


class Corner(nn.Module):
    """Class 0 for light in the left half, class 1 for light in the right half."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Conv2d(1, 2, 1, bias=False)
        self.maps.weight.data.fill_(1.0)
        self.head = nn.Linear(2 * 64, 2, bias=False)
        left = torch.zeros(8, 8)
        left[:, :4] = 1
        rows = [torch.stack([left, 0 * left]), torch.stack([0 * left, 1 - left])]
        self.head.weight.data = torch.stack([row.flatten() for row in rows])

    def forward(self, x):
        return self.head(self.maps(x).flatten(1))


def sample():
    images = torch.zeros(4, 1, 8, 8)
    images[0, 0, 2:6, 1:3] = 1.0
    images[1, 0, 2:6, 5:7] = 3.0  # taken for class 1, called class 0
    images[2, 0, 2:6, 1:3] = 1.0
    images[3, 0, 2:6, 5:7] = 1.0
    return images, torch.tensor([0, 0, 0, 1])


def test_errors_are_shown_with_the_class_predicted_above_and_the_true_one_below():
    images, target = sample()
    previews = drawn(classifier(2), Corner(), images, target)
    card = previews.figures["looks_at"]
    texts = [text.get_text() for text in card.texts]
    assert texts[0] == "Where it looks in its worst errors" and "kind 0 → kind 1" in texts
    assert texts.index("predicted") < texts.index("truth")
    assert len(card.axes[0].images) == 2  # the one error
    caption = previews.captions["looks_at"]
    assert "8×8 positions" in caption and "above: the class predicted" in caption.lower()
    assert len(previews.full["looks_at"].axes) == 3


def test_without_errors_the_second_best_class_is_shown():
    images, target = sample()
    target = Corner()(images).argmax(1)
    previews = drawn(classifier(2), Corner(), images, target)
    texts = [text.get_text() for text in previews.figures["looks_at"].texts]
    assert "no errors" in texts[0] and "second" in texts and "truth" not in texts


def test_heat_lies_over_its_place():
    heat = torch.zeros(4, 4)
    heat[0, 3] = 2.0
    shown = overlay(torch.zeros(1, 8, 8), heat)
    warmth = shown.sum(2)
    assert warmth.shape == (96, 96)
    assert numpy.unravel_index(warmth.argmax(), warmth.shape)[0] < 24
    assert warmth[:20, -20:].mean() > warmth[-20:, :20].mean() + 0.5


def test_channels_that_vary_most_come_first():
    model = nn.Sequential(
        nn.Conv2d(1, 5, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2)
    )
    model[0].weight.data = torch.tensor([0.0, 4.0, 1.0, 3.0, 2.0]).view(5, 1, 1, 1)
    images, target = sample()
    previews = drawn(classifier(2), model, images, target)
    card = previews.figures["feature_maps"]
    assert [text.get_text() for text in card.texts] == [
        "Feature maps of one image",
        "kind 0",
        "only\n8×8",
    ]
    shown = [torch.as_tensor(image.get_array()).sum(2) for image in card.axes[0].images[1:]]
    brightest = [float(image.max()) for image in shown]
    assert len(shown) == 3 and brightest == sorted(brightest, reverse=True)
    assert brightest[0] > brightest[-1]
