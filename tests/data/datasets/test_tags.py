"""Source as words with their kinds: by `tokenize`, in the same pieces as a text to predict."""

import hashlib

import pytest
import torch
from contexts import build_dataset

from zoo.data.datasets.stdlib import sources
from zoo.data.datasets.tags import sentences, words
from zoo.data.text.tagged_encoding import cut_words
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

SOURCE = '''
class GetValue:  # is it in
    """Not a
    keyword: in 2."""

    def get_value(self, x=0x1F):
        return f"in {x!r:>{3}} is" if not self.in_ else rb'if' + "a" "b"
'''
TOKENIZER = TokenizerConfig(tokenizer="word", vocab_size=None)


def test_kinds_are_those_of_the_whole_token():
    found = [(word, kind[:2]) for word, kind, _ in words(SOURCE)]
    assert found[:8] == [
        ("class", "ke"), ("get", "na"), ("value", "na"), (":", "op"), ("#", "co"), ("is", "co"),
        ("it", "co"), ("in", "co"),
    ]  # fmt: skip
    assert found[8:14] == [(word, "st") for word in ["not", "a", "keyword", ":", "in", "2"]]
    assert found[23:27] == [("0", "nu"), ("x", "nu"), ("1", "nu"), ("f", "nu")]
    rest = found[found.index(("return", "ke")) + 1 :]
    f_string = ["f", "in", "{", "x", "!", "r", ":", ">", "{", "3", "}", "}", "is"]
    assert rest[:13] == [(word, "st") for word in f_string]
    assert rest[13:16] == [("if", "ke"), ("not", "ke"), ("self", "na")]
    assert rest[-6:] == [
        ("else", "ke"), ("rb", "st"), ("if", "st"), ("+", "op"), ("a", "st"), ("b", "st"),
    ]  # fmt: skip


def test_every_word_of_a_text_to_predict_is_one_of_these():
    for number, (_, source) in enumerate(sources()):
        if number % 40 == 0:
            assert [word for word, _, _ in words(source)] == cut_words(source, "code")


def test_sentences_end_with_a_line_and_no_word_is_lost():
    parts = list(sentences(SOURCE, 12))
    assert [word for part in parts for word in part.words] == [word for word, _, _ in words(SOURCE)]
    assert max(len(part.words) for part in parts) == 12
    assert parts[0].words == ("class", "get", "value", ":", "#", "is", "it", "in", "not", "a")


def few(number=6):
    return (file for k, file in enumerate(sources()) if k % 30 == 0 and k // 30 < number)


@pytest.fixture
def build(monkeypatch):
    monkeypatch.setattr("zoo.data.datasets.tags.sources", few)

    def run(**options):
        options = {"name": "tags", "block_size": 16} | options
        return build_dataset(options, tokenizer=TOKENIZER)

    return run


def test_files_are_chosen_by_name_and_not_by_their_number(build, monkeypatch):
    three = build(files=3).sha256
    assert build(files=3).sha256 == three != build(files=4).sha256
    last = max(few(), key=lambda file: hashlib.sha256(file[0].encode()).digest())
    monkeypatch.setattr("zoo.data.datasets.tags.sources", lambda: (f for f in few() if f != last))
    assert build(files=3).sha256 == three


def test_few_sentences_keep_their_tags(build):
    whole, part = (build(files=None, **kept).splits for kept in ({}, {"labelled": 20}))
    assert part["train"].tokens.flat.equal(whole["train"].tokens.flat)
    assert part["test"].tags.flat.equal(whole["test"].tags.flat)
    rows = [part["train"].tags.rows(torch.tensor([k])) for k in range(len(part["train"]))]
    assert sum(bool((row >= 0).all()) for row in rows) == 20
    assert sum(bool((row < 0).all()) for row in rows) == len(rows) - 20


@pytest.mark.parametrize(
    "options, said",
    [
        ({"files": 2}, "data.files=2: expected 3 or more"),
        ({"labelled": 0}, "data.labelled=0: expected 1 to "),
        ({"labelled": 10**6}, "data.labelled=1000000: expected 1 to "),
        ({"block_size": 0}, "data.block_size=0: expected 1 or more"),
    ],
)
def test_mistakes_are_named(build, options, said):
    with pytest.raises(UserError, match=said):
        build(**options)
