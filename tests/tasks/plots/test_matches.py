"""Pictures of images with captions, and of similarities: what is drawn, and how much of it."""

import pytest
import torch
import torch.nn.functional as F
from previews import Previews

from zoo.tasks.plots.matches import RIGHT, SHOWN, SIDE, draw_matches


@pytest.fixture
def drawn():
    """Forty images of twenty captions; the vector of each image is its caption's, but for one."""
    generator = torch.Generator().manual_seed(0)
    own = torch.arange(40) % 20
    vectors = F.normalize(torch.randn(20, 32, generator=generator), dim=1)
    images = 50 * vectors[own]
    images[0] = 50 * vectors[5]
    previews = Previews()
    names = [f"caption ${k}$" for k in own.tolist()]
    draw_matches(torch.rand(40, 1, 8, 8), images, vectors[own], own, None, names, previews)
    return previews


def texts_of(figure):
    return {text.get_text(): text.get_color() for text in figure.texts}


def test_the_nearest_captions_stand_beside_each_image(drawn):
    card = texts_of(drawn.figures["captions"])
    assert "Nearest of 20 captions" in card
    assert card["caption $0$"] == RIGHT and card["caption $5$"] != RIGHT  # the wrong one first
    full = drawn.full["captions"].axes[0]
    assert len(full.images) == min(20, SHOWN) and len(full.texts) == 3 * SHOWN


def test_right_pairs_lie_on_the_diagonal(drawn):
    cells = drawn.figures["similarities"].axes[0].images[0].get_array()
    assert cells.shape == (SIDE + 2, SIDE + 2) or cells.shape[0] == cells.shape[1] >= SIDE
    diagonal = cells.diagonal()
    assert (diagonal[1:] > 0.99).all() and diagonal[0] < 0.9
    full = drawn.full["similarities"].axes[0].images[0].get_array()
    assert full.shape == (20, 20)


def test_each_caption_of_an_image_is_right_and_each_image_is_shown_once():
    vectors, previews = torch.eye(6), Previews()
    texts, images = F.normalize(vectors + 0.1 * vectors.roll(1, 0), dim=1), vectors[::2]
    image_of = torch.arange(6) // 2
    images = F.normalize(texts[::2] + texts[1::2], dim=1)[image_of]
    names = [f"caption {k}" for k in range(6)]
    pixels = torch.rand(6, 1, 8, 8)
    draw_matches(pixels, 50 * images, texts, torch.arange(6), image_of, names, previews)
    shown = [(t.get_text(), t.get_color() == RIGHT) for t in previews.figures["captions"].texts]
    assert sum(right and name in names for name, right in shown) == 6
    assert previews.full["similarities"].axes[0].images[0].get_array().shape == (3, 3)
