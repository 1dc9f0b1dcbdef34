"""Characters and their names: split by character."""

import unicodedata

import pytest
import torch
from contexts import build_dataset
from sample_glyphs import few_glyphs

from zoo.data.datasets import glyphs
from zoo.data.images.fonts import Glyphs
from zoo.data.splits import Split
from zoo.data.tokenizers.config import TokenizerConfig

WORDS = {"tokenizer": TokenizerConfig("word", None)}


@pytest.fixture(scope="module")
def drawn():
    """Each character in two fonts: one, and its mirror image."""
    few = few_glyphs("", 16)
    both = torch.cat([few.images, few.images.flip(3)])
    return Glyphs(both, torch.cat([few.codes, few.codes]))


@pytest.fixture
def data(monkeypatch, drawn):
    monkeypatch.setattr(glyphs, "load_glyphs", lambda root, size: drawn)
    return build_dataset({"name": "glyphs"}, **WORDS)


def test_no_character_is_in_two_splits_and_each_has_all_its_pictures(data, drawn):
    places = {name: source.columns["place"] for name, source in data.splits.items()}
    sets = {name: set(place.tolist()) for name, place in places.items()}
    assert sum(map(len, sets.values())) == len(drawn.codes.unique())
    assert not sets["train"] & sets["test"] and not sets["val"] & (sets["train"] | sets["test"])
    for place in places.values():
        assert (place.unique(return_counts=True)[1] == 2).all()
    assert len(sets["test"]) == round(0.2 * len(drawn.codes.unique()))


def test_a_caption_is_the_name(data, drawn):
    columns = data.splits["train"].columns
    captions = data.encoding.captions
    for k in range(0, len(columns["place"]), 37):
        name = unicodedata.name(chr(int(columns["place"][k]))).lower()
        assert torch.equal(captions.encode([name])[0], columns["caption"][k].long())
        same = drawn.images[drawn.codes == columns["place"][k]]
        assert any(torch.equal(columns["input"][k], image) for image in same)
    assert data.facts["vocab_size"] == data.encoding.tokenizer.vocab_size
    assert data.facts["input_shape"] == (1, 16, 16) and len(data.facts["pixel_mean"]) == 1


def test_the_split_follows_from_its_seed(monkeypatch, drawn):
    monkeypatch.setattr(glyphs, "load_glyphs", lambda root, size: drawn)
    built = [build_dataset({"name": "glyphs"}, split=Split(split_seed=s), **WORDS) for s in (0, 1)]
    first, other = (set(one.splits["test"].columns["place"].tolist()) for one in built)
    assert first != other
