"""The probe: trained on features, which it reads as the network that gives them was taught."""

import re

import pytest
import torch
from torch import nn

from zoo.errors import UserError
from zoo.models.probe import Probe
from zoo.models.vae import VAE

SHAPE = (1, 4, 4)


def codes():
    torch.manual_seed(0)
    return VAE(SHAPE, latent=3, width=8, depth=1).eval().requires_grad_(False)


def test_without_a_teacher_the_pixels_are_the_features():
    model, x = Probe(SHAPE, 2), torch.randn(3, *SHAPE)
    torch.testing.assert_close(model(x), model.head(x.flatten(1)))


def test_images_reach_the_teacher_standardised_as_it_was_taught():
    teacher, unit = codes(), torch.rand(5, *SHAPE)
    facts = {"input_shape": SHAPE, "pixel_mean": [0.3], "pixel_std": [0.4]}
    model = Probe(SHAPE, 2, [0.5], [0.2], teacher, facts)
    expected = teacher.features((unit - 0.3) / 0.4)
    torch.testing.assert_close(model.features((unit - 0.5) / 0.2), expected)
    assert not torch.allclose(model.features(unit), expected)
    model((unit - 0.5) / 0.2).sum().backward()
    assert model.head.weight.grad.shape == (2, 8)


@pytest.mark.parametrize(
    ("teacher", "facts", "message"),
    [
        (nn.Linear(2, 2), {}, "the network of teacher.from (Linear) gives none; train one with"),
        (codes(), {"input_shape": (1, 8, 8)}, "images of shape (1, 8, 8), got (1, 4, 4)"),
        (VAE(SHAPE, 2, 3, width=4, conditional=True), {}, "model.conditional=false"),
    ],
)
def test_what_has_no_features_for_these_images_is_refused(teacher, facts, message):
    with pytest.raises(UserError, match=re.escape(message)):
        Probe(SHAPE, 2, None, None, teacher, facts)
