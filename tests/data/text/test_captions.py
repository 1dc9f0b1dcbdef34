"""Captions: rows of one length, digits as words, what a vocabulary lacks."""

import pytest
import torch

from zoo.data.text.captions import SPECIALS, Captions, longest, spelled
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError

TEXTS = ["digit one", "braille pattern dots-12", "latin small letter a"]


@pytest.fixture(scope="module", params=["word", "bpe"])
def captions(request):
    texts = [spelled(text) for text in TEXTS]
    tokenizer = train_tokenizer(request.param, texts, 300, 1, SPECIALS, leading_space=True)
    return Captions(tokenizer, longest(tokenizer, TEXTS))


def test_rows_are_of_one_length_and_come_back(captions):
    rows = captions.encode(TEXTS)
    assert rows.shape == (3, captions.length) and rows.dtype == torch.int64
    assert (rows == captions.pad_id).any() and not (rows == captions.pad_id).all(1).any()
    shown = [" ".join(captions.decode(row).split()) for row in rows]
    assert shown[::2] == TEXTS[::2] and "dots" in shown[1] and shown[1].endswith("one two")


def test_digits_tell_captions_apart(captions):
    rows = captions.encode(["dots-12", "dots-21", "dots-1"])
    assert len(rows.unique(dim=0)) == 3
    same = captions.encode(["digit 1", "DIGIT  one ", "digit one"])
    assert (same == same[0]).all()  # in small letters, whatever the spaces


def test_what_is_longer_is_cut_off(captions):
    row = captions.encode(["small " * 99])[0]
    assert len(row) == captions.length and not (row == captions.pad_id).any()


def test_what_is_read_alike(captions):
    texts = ["digit one", "Latin small letter a", "Digit  ONE", "latin small letter a one"]
    assert captions.alike(texts, captions.rows(texts)).tolist() == [0, 1, 0, 3]


def test_two_unknown_words_are_not_alike():
    captions = Captions(train_tokenizer("word", TEXTS, None, 1, SPECIALS), 4)
    texts = ["letter qoppa", "letter stigma", "Letter Qoppa", "letter a.", "letter a"]
    assert captions.alike(texts, captions.rows(texts)).tolist() == [0, 1, 0, 3, 3]


def test_unknown_words_are_named():
    tokenizer = train_tokenizer("word", TEXTS, None, 1, SPECIALS)
    captions = Captions(tokenizer, 4)
    assert captions.unknown("latin letter qoppa, qoppa") == ["qoppa,", "qoppa"]
    assert captions.knows_nothing("qoppa stigma") and not captions.knows_nothing("letter qoppa")
    assert captions.unknown_id in captions.encode(["letter qoppa"])[0]
    with pytest.raises(UserError, match="the caption '!' has no words"):
        captions.encode(["!"])
