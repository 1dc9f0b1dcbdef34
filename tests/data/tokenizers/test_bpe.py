"""Byte-pair encoding: what it learns, and where words begin."""

import pytest

from zoo.data.tokenizers.registry import EOT, train_tokenizer
from zoo.errors import UserError


def test_byte_pairs_learn_what_comes_together():
    tokenizer = train_tokenizer("bpe", ["low lower lowest " * 50], vocab_size=270)
    assert 256 < tokenizer.vocab_size <= 270
    assert [tokenizer.token(i) for i in tokenizer.encode("low lower lowest!")] == [
        "low", "·lower", "·lowest", "!",
    ]  # fmt: skip


def test_byte_pairs_know_where_a_word_begins():
    text = "a lower, lower: Größe 12 明明明\n" * 9
    tokenizer = train_tokenizer("bpe", [text], vocab_size=400, specials=[EOT])
    starts = tokenizer.word_starts()
    assert starts[0], "a special token"

    def begins(text):
        ids = tokenizer.encode(text).tolist()
        return [starts[i] for i in ids]

    assert begins(" lower") == [True] and begins(" 12") == [True]
    assert begins("\n") == begins(",") == begins("(") == [True]
    assert begins("l") == begins("7") == [False]
    assert not any(begins("öß")) and not any(begins("é"))
    assert begins(" é") == [True, False, False] and begins(" Größe") == [True]


def test_the_vocabulary_of_byte_pairs_holds_all_bytes():
    with pytest.raises(UserError, match="data.vocab_size=100: expected at least 258, 256 of which"):
        train_tokenizer("bpe", ["abc"], vocab_size=100, specials=[EOT])
