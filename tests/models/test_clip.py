"""CLIP: any image encoder beside any text encoder."""

import math

import pytest
import torch

from zoo.errors import UserError
from zoo.registry import MODELS

FACTS = {"input_shape": (1, 8, 8), "vocab_size": 16, "block_size": 4, "pad_id": 1}
IMAGES = {
    "cnn": dict(width=4, stages=2, blocks=1),
    "resnet": dict(depth=8, width=4),
    "vit": dict(patch=4, width=8, depth=1, heads=1),
    "mlp": dict(width=8),
}
TEXTS = {
    "bert": dict(width=8, depth=1, heads=1),
    "gpt": dict(width=8, depth=1, heads=1),
    "llama": dict(width=8, depth=1, heads=1),  # its output layer has no bias
    "mamba": dict(width=8, depth=1),
    "rnn": dict(width=8, depth=1),
}


def built(image="cnn", text="rnn", **options):
    torch.manual_seed(0)
    image = {"name": image, **IMAGES.get(image, {}), **options.pop("image", {})}
    text = {"name": text, **TEXTS.get(text, {})}
    return MODELS.build(
        {"name": "clip", "image": image, "text": text, "width": 6, **options}, **FACTS
    )


@pytest.mark.parametrize("pair", [*[(i, "rnn") for i in IMAGES], *[("cnn", t) for t in TEXTS]])
def test_any_pair_of_encoders(pair):
    model = built(*pair).eval()
    images, texts = model(
        torch.randn(3, 1, 8, 8), torch.tensor([[2, 3, 4, 5], [2, 3, 1, 1], [9, 1, 1, 1]])
    )
    assert images.shape == texts.shape == (3, 6)
    torch.testing.assert_close(images.norm(dim=1), torch.full((3,), 1 / 0.07))
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(3))
    assert (images[0] - images[1]).abs().max() > 1e-3 and (texts[0] - texts[1]).abs().max() > 1e-3


def test_the_encoders_are_those_of_the_registry():
    model = built("vit", "bert")
    assert type(model.image) is MODELS["vit"].builder and len(model.image.blocks) == 1
    assert type(model.text) is MODELS["bert"].builder and model.text.head.out_features == 6


def test_the_temperature_is_learnt_and_bounded():
    model = built(temperature=0.05)
    assert model.scale().item() == pytest.approx(20)
    with torch.no_grad():
        model.log_scale.fill_(math.log(1000))
    assert model.scale().item() == pytest.approx(100)


def test_a_temperature_at_its_bound_can_rise_again():
    """As in the paper's code, where the parameter is cut, not what is made of it."""
    model = built().train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for sign in (-1.0, 1.0):  # far beyond the bound, then back
        for _ in range(20):
            optimizer.zero_grad()
            (sign * model.scale()).backward()
            optimizer.step()
        if sign < 0:
            assert model.eval().scale().item() == pytest.approx(100)
            model.train()
    assert model.scale().item() < 50


MISTAKES = {
    "gan": r"model.image=gan: expected a model that gives one vector for an image: cnn, ",
    "gpt": r"model.image=gpt: expected a model that gives one vector for an image: cnn, ",
    "cnnn": r"unknown model.image 'cnnn'; did you mean 'cnn'",
}


@pytest.mark.parametrize("name", MISTAKES)
def test_an_encoder_that_is_none(name):
    with pytest.raises(UserError, match=MISTAKES[name]):
        built(image=name)


def test_options_of_an_encoder_are_checked():
    with pytest.raises(
        UserError, match=r"model.image.widht: model.image=cnn has no such option; did"
    ):
        MODELS.build(
            {"name": "clip", "image": {"name": "cnn", "widht": 3}, "text": {"name": "rnn"}}, **FACTS
        )
    with pytest.raises(
        UserError, match="model.text=cnn: expected a model that gives one vector for a text"
    ):
        built(text="cnn")
    with pytest.raises(UserError, match="model.image.name is missing"):
        MODELS.build({"name": "clip", "image": {}, "text": {"name": "rnn"}}, **FACTS)
