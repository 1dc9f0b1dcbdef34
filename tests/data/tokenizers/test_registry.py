"""Tokenizers: what they encode they give back, and no text becomes a special token."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_tokenizers import MADE, MIXED

from zoo.data.tokenizers.registry import load_tokenizer, train_tokenizer
from zoo.errors import UserError

few = settings(max_examples=60, deadline=None)
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
known_text = st.text(st.sampled_from(sorted(set(MIXED))), max_size=60)


@pytest.mark.parametrize("kind", ["byte", "bpe"])
@given(text=st.one_of(any_text, known_text))
@few
def test_bytes_and_byte_pairs_give_any_text_back(kind, text):
    tokenizer = MADE[kind]
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert sum(tokenizer.token_bytes()[i] for i in ids) == len(text.encode())


@given(text=known_text)
@few
def test_characters_give_their_text_back(text):
    tokenizer = MADE["char"]
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text and len(ids) == len(text)
    assert sum(tokenizer.token_bytes()[i] for i in ids) == len(text.encode())


@pytest.mark.parametrize("kind", MADE)
def test_survives_being_written_as_json(kind):
    tokenizer = MADE[kind]
    again = load_tokenizer(json.loads(json.dumps(tokenizer.to_json())))
    assert again.encode(MIXED).tolist() == tokenizer.encode(MIXED).tolist()
    assert again.specials == tokenizer.specials and again.vocab_size == tokenizer.vocab_size
    assert again.token_bytes() == tokenizer.token_bytes() and again.to_json() == tokenizer.to_json()


def test_cut_characters_do_not_stop_decoding():
    half = MADE["byte"].encode("明")[:2]
    assert MADE["byte"].decode(half) == "\ufffd"


def test_characters_are_those_of_the_text_by_code_point():
    tokenizer = train_tokenizer("char", ["banana", "明b"])
    assert tokenizer.characters == "abn明" and tokenizer.vocab_size == 4
    assert tokenizer.encode("明a").tolist() == [3, 0]


def test_unknown_characters_are_named():
    tokenizer = train_tokenizer("char", ["abc"])
    with pytest.raises(UserError) as error:
        tokenizer.encode("ab明a👍xx")
    assert "characters that the vocabulary of 3 lacks: '明' '👍' 'x'; " in str(error.value)
    assert "data.tokenizer=byte" in str(error.value)
    assert tokenizer.encode("").tolist() == []


def test_unknown_kinds_and_damaged_files_are_one_line():
    with pytest.raises(UserError, match="unknown data.tokenizer 'bytes'; did you mean 'byte'"):
        train_tokenizer("bytes", [])
    with pytest.raises(UserError, match="unknown kind 'x' .one of: byte, char, word, bpe"):
        load_tokenizer({"kind": "x"})
    for damaged in (
        {"kind": "char", "specials": []},
        {"kind": "char", "characters": "ab", "more": 1},
        {"kind": "word", "specials": []},
        {"kind": "bpe", "specials": []},
        {"kind": "bpe", "specials": [], "model": {"version": "1.0"}},
        {"kind": "char", "characters": None},
    ):
        with pytest.raises(UserError, match="tokenizer is damaged"):
            load_tokenizer(damaged)
