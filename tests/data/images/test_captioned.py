"""The encoding of images with captions, and datasets of them."""

import json

import pytest
import torch
from contexts import context

from zoo.data.encoding import load_encoding
from zoo.data.images.captioned import captioned_dataset
from zoo.data.images.encoding import ImageEncoding
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

TEXTS = ["a red dog", "a blue dog", "a red cat", "two birds"]
GROUP = torch.tensor([0, 1, 2, 3, 0, 1])
INDEX = {"train": torch.arange(3), "val": torch.tensor([3]), "test": torch.tensor([4, 5])}


def built(encoding=None, kind="word", block_size=8, **shared):
    images = torch.arange(6 * 3 * 8 * 8).view(6, 3, 8, 8).remainder(251).byte()
    config = TokenizerConfig(kind, None)
    return captioned_dataset(
        images, TEXTS, GROUP, INDEX, context(encoding=encoding, tokenizer=config, **shared),
        block_size, lambda train: ImageEncoding.fit(images, train, ()), 10 * torch.arange(6),
    )  # fmt: skip


def test_the_encoding_comes_back_from_json():
    data = built()
    encoding = load_encoding(json.loads(json.dumps(data.encoding.to_json())))
    stored = data.splits["train"].fetch(torch.arange(3))
    first, again = data.encoding.prepare(stored), encoding.prepare(stored)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert first["input"].dtype == torch.float32 and first["caption"].dtype == torch.int64
    assert torch.equal(encoding.captions.encode(TEXTS), data.encoding.captions.encode(TEXTS))


def test_the_vocabulary_is_of_the_training_captions():
    data = built()
    assert "birds" not in data.encoding.tokenizer.words and "cat" in data.encoding.tokenizer.words
    assert any("100% of val" in note and "not in the vocabulary" in note for note in data.notes)
    assert "train 3 images of 3 captions" in data.notes[0]
    assert data.encoding.length == 3


def test_a_run_keeps_its_own_encoding():
    data = built()
    again = built(encoding=data.encoding.to_json())
    assert again.encoding.tokenizer.words == data.encoding.tokenizer.words
    assert len(again.splits["all"]) == 6 and again.sha256 == data.sha256
    with pytest.raises(UserError, match="data.tokenizer=char: the run was trained with a word"):
        built(encoding=data.encoding.to_json(), kind="char")
    json_of = data.encoding.to_json()
    json_of["image"]["size"] = [4, 4]
    with pytest.raises(UserError, match=r"trained on images of \(3, 4, 4\), the data has"):
        built(encoding=json_of)


def test_a_length_of_nothing():
    with pytest.raises(UserError, match="data.block_size=0: expected 1 or more"):
        built(block_size=0)
