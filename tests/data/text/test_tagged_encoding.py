"""Texts to words, words to tokens, and long sentences to pieces."""

import json

import numpy as np
import pytest

from zoo.data.encoding import load_encoding
from zoo.data.text.tagged_encoding import TaggedEncoding, cut_of, cut_words
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError


def encoding_of(kind="word", texts=("a b c dd",), length=4, cut="spaces"):
    tokenizer = train_tokenizer(kind, texts, specials=["<pad>"], as_given=True)
    return TaggedEncoding(tokenizer, length, ("x", "y"), cut)


def test_code_is_cut_into_pieces_of_names_and_single_signs():
    text = "getHTTPValue(self_2, 'it is', r\"\\n\") != 0x1F  # Größe of 変数"
    expected = "get http value ( self 2 , it is , r n ) ! = 0 x 1 f # größe of 変数"
    assert " ".join(cut_words(text, "code")) == expected
    assert cut_words(" New\tYork , N.Y. ", "spaces") == ["New", "York", ",", "N.Y."]


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        ("张 三 在 1 9 年 。", "李四在1997年。", "李 四 在 1 9 9 7 年 。"),
        ("张 三 用 iPhone 在 1997 年", "李四用 iPad，在2024年。", "李 四 用 iPad ， 在 2024 年 。"),
        ("张三 在 北京", "李四 在北京。", "李四 在北京。"),  # cut into words already
        ("a b c", "abc de", "abc de"),
    ],
)
def test_a_text_is_cut_as_the_data_is(words, text, expected):
    assert " ".join(cut_words(text, cut_of(words.split()))) == expected


def test_a_word_is_one_token_and_is_taken_as_it_is():
    encoding = encoding_of(texts=["Die die . .", "Die"])
    assert encoding.tokenizer.words == [".", "Die", "die"] and not encoding.tokenizer.notes()
    (piece,) = encoding.pieces(["die", "Die", "DIE"])
    assert [encoding.tokenizer.token(i) for i in piece.ids] == ["die", "Die", "<unk>"]
    assert piece.begins.tolist() == [0, 1, 2]


def test_long_sentences_are_cut_between_words():
    encoding = encoding_of("byte", length=5)
    pieces = encoding.pieces(["ab", "cde", "f", "ghijklmn", "o"])
    assert [piece.words for piece in pieces] == [["ab", "cde"], ["f"], ["ghijklmn"], ["o"]]
    assert [piece.begins.tolist() for piece in pieces] == [
        [0, -1, 1, -1, -1], [0], [0, -1, -1, -1, -1], [0],
    ]  # fmt: skip
    assert all(len(piece.ids) == len(piece.begins) <= 5 for piece in pieces)


def test_special_tokens_around_a_sentence_begin_no_word():
    class Wrapped:
        specials, pad_id = {"<pad>": 0}, 0

        def encode(self, word):
            return train_tokenizer("byte", [], specials=["<pad>"]).encode(word)

        def wrap(self, ids, length):
            return np.r_[300, ids[: max(0, length - 2)], 301].astype(np.int32)

    encoding = TaggedEncoding(Wrapped(), 6, ("x", "y"))
    first, second = encoding.pieces(["ab", "cd", "e"])
    assert first.begins.tolist() == [-1, 0, -1, 1, -1, -1] and len(first.ids) == 6
    assert second.words == ["e"] and second.begins.tolist() == [-1, 0, -1]


def test_comes_back_from_json_and_reads_files(tmp_path):
    encoding = encoding_of()
    again = load_encoding(json.loads(json.dumps(encoding.to_json())))
    assert again.tag_names == ("x", "y") and again.cut == "spaces"
    (tmp_path / "lines.txt").write_text("a\u2028b\n\nc a a a b\n")  # of which \n ends lines
    names, batch = again.read(str(tmp_path / "lines.txt"))
    assert names == ["a b", "c a a a", "b"] and batch["input"].shape == (3, 4)
    names, batch = again.read("dd")
    assert names == ["dd"] and batch["input"].tolist() == encoding.read("dd")[1]["input"].tolist()
    damaged = encoding.to_json() | {"cut": "space"}
    with pytest.raises(UserError, match="damaged: .*did you mean 'spaces'"):
        load_encoding(damaged)


@pytest.mark.parametrize("text", ["", "   ", "''"])
def test_a_text_without_words_is_refused_in_a_line(text):
    with pytest.raises(UserError, match="no word in"):
        encoding_of(cut="code").cut_text(text)
