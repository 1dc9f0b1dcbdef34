"""Pairs as ids: every text comes back exactly."""

import pytest
from contexts import context
from sample_pairs import BPE, BYTE, CHAR, SENTENCES, made, texts

from zoo.data.encoding import load_encoding
from zoo.data.text.pairs import pair_dataset


@pytest.mark.parametrize("form", [CHAR, BYTE, BPE], ids=lambda form: form.tokenizer)
def test_texts_come_back_exactly(form):
    dataset, splits = made(form)
    for name, found in splits.items():
        assert texts(dataset, name) == found
    again = load_encoding(dataset.encoding.to_json())
    for text in SENTENCES:
        assert again.encode(text).tolist() == dataset.encoding.encode(text).tolist()
        assert again.tokenizer.decode(again.encode(text)) == text


def test_the_first_word_of_a_sentence_is_read_as_any_other():
    dataset = pair_dataset(
        "toy", dict.fromkeys(["train", "val", "test"], [("dog dog",) * 2]), context(tokenizer=BPE)
    )
    first, second = dataset.encoding.tokenizer.encode("dog dog")
    assert first == second
