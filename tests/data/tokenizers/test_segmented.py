"""Where words begin in rows of ids: Chinese by jieba (a stand-in), other words by their spaces."""

import re
import sys
import types

import numpy as np
import pytest

from zoo.data.tokenizers.bpe import spell
from zoo.data.tokenizers.published import PublishedTokenizer
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError

TEXT = "我们在大学, playing 和 the 游戏。"
WORDS = ["我们", "在", "大学", ",", " playing", " ", "和", " the", " ", "游戏", "。"]


@pytest.fixture
def jieba(monkeypatch):
    """Knows three Chinese words, and letters that follow each other."""
    module = types.ModuleType("jieba")
    module.lcut = re.compile("我们|大学|游戏|[a-z]+|.", re.DOTALL).findall
    module.setLogLevel = lambda level: None
    monkeypatch.setitem(sys.modules, "jieba", module)


def cut(tokenizer, ids):
    """The text of ids in words; a space that is a word of its own counts with the next one."""
    (starts,) = tokenizer.word_finder()(np.array([ids]))
    pieces = [tokenizer.spelled()[number] for number in ids]
    words = b"".join(b"|" * bool(start) + piece for start, piece in zip(starts, pieces))
    return words.decode().replace(" |", " ").removeprefix("|").split("|")


@pytest.mark.parametrize("kind", ["char", "byte", "bpe"])
def test_tokens_that_keep_spaces(kind, jieba):
    size = {"vocab_size": 262} if kind == "bpe" else {}  # merges of half characters
    tokenizer = train_tokenizer(kind, [TEXT], specials=["[MASK]"], **size)
    ids = tokenizer.encode(TEXT).tolist()
    assert b"".join(tokenizer.spelled()[number] for number in ids).decode() == TEXT
    expected = [w for w in "".join(f"|{w}" for w in WORDS).replace(" |", " ").split("|") if w]
    assert cut(tokenizer, ids) == expected
    assert cut(tokenizer, [0, *ids]) == ["\n", *expected]


def test_a_word_that_shares_a_token_with_another_is_one_with_it(jieba):
    tokenizer = train_tokenizer("bpe", ["们在" * 50], specials=[], vocab_size=300)
    ids = tokenizer.encode("我们在大学").tolist()
    words = cut(tokenizer, ids)
    assert "".join(words) == "我们在大学" and words[-1] == "大学" and len(words) < 3


def test_word_pieces(jieba):
    vocabulary = [
        "[UNK]",
        "[CLS]",
        "我",
        "们",
        "在",
        "大",
        "学",
        "play",
        "##ing",
        "the",
        ",",
        "游",
        "戏",
        "和",
        "。",
    ]
    ids = {word: number for number, word in enumerate(vocabulary)}
    normalizer = {
        "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
        "strip_accents": None, "lowercase": True,
    }  # fmt: skip
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    model = {
        "version": "1.0", "normalizer": normalizer, "pre_tokenizer": {"type": "BertPreTokenizer"},
        "added_tokens": [{"id": k, "content": vocabulary[k], "special": True} | special
                         for k in (0, 1)],
        "model": {"type": "WordPiece", "vocab": ids, "unk_token": "[UNK]",
                  "continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
    }  # fmt: skip
    tokenizer = PublishedTokenizer(model)
    found = cut(tokenizer, [1, *tokenizer.encode(TEXT).tolist()])
    assert found == ["\n", "我们", "在", "大学", " ,", " playing", "和", " the", "游戏", " 。"]


def test_words_are_words(jieba):
    tokenizer = train_tokenizer("word", ["the cat"], specials=[])
    assert cut(tokenizer, tokenizer.encode("the dog cat").tolist()) == [" the", "\n", " cat"]


def test_bytes_of_a_byte_level_token():
    assert spell("Ġthe") == b" the" and spell("ÃĹ") == "×".encode() and spell("我") == "我".encode()


def test_without_jieba_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(UserError, match=r"^task.segmenter=jieba needs jieba, which is not inst"):
        train_tokenizer("byte", ["a"]).word_finder()


def test_jieba_itself():
    pytest.importorskip("jieba")
    tokenizer = train_tokenizer("char", ["我们在北京大学学习"], specials=[])
    ids = tokenizer.encode("我们在北京大学学习").tolist()
    assert cut(tokenizer, ids) == ["我们", "在", "北京大学", "学习"]
