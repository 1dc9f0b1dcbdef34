"""Words of all scripts: what belongs to one, and what files of older runs say."""

import re
import sys
import types
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.tokenizers import words
from zoo.data.tokenizers.registry import EOT, load_tokenizer, train_tokenizer
from zoo.errors import UserError

few = settings(max_examples=60, deadline=None)
WHOLE = {  # text: its words
    "हिन्दी भाषा": "हिन्दी भाषा",
    "தமிழ் மொழி": "தமிழ் மொழி",
    "كِتَابٌ جَمِيلٌ": "كِتَابٌ جَمِيلٌ",
    "שָׁלוֹם, עוֹלָם": "שָׁלוֹם עוֹלָם",
    "cafe\u0301 NAI\u0308VE": "café naïve",
    "می\u200cخواهم": "می\u200cخواهم",
    "ക്\u200dഷ വന്\u200d.": "ക്\u200dഷ വന്\u200d",
    "İstanbul I\u0307stanbul": "istanbul istanbul",
    "Donau\u00addampf Straße": "donaudampf straße",
    "ΟΔΟΣ": "οδος".replace("σ", "σ")[:-1] + "ς",
    "Don't 42 a_b ❤\ufe0f 👨\u200d👩": "don t a b",
    "한국어 문장": "한국어 문장",
    "한국어": "한국어",
}
UNSPACED = {  # text: its words, without jieba
    "我们在北京。": "我 们 在 北 京",
    "葛\U000e0100城": "葛 城",
    "東京でコーヒー": "東 京 で コ ー ヒ ー",
    "ภาษาไทยที่": "ภ า ษ า ไ ท ย ที่",
    "ພາສາ": "ພ າ ສ າ",
    "ភាសាខ្មែរ": "ភា សា ខ្ មែ រ",
    "မြန်မာ": "မြ န် မာ",
    "T恤 и слово": "t 恤 и слово",
}


@pytest.fixture
def no_jieba(monkeypatch):
    monkeypatch.setattr(words, "has_jieba", lambda: False)


@pytest.fixture
def jieba(monkeypatch):
    """A stand-in that cuts Chinese into pairs of characters."""
    module = types.ModuleType("jieba")
    module.lcut = lambda text: [text[i : i + 2] for i in range(0, len(text), 2)]
    module.setLogLevel = lambda level: None
    monkeypatch.setitem(sys.modules, "jieba", module)
    monkeypatch.setattr(words, "has_jieba", lambda: True)


@pytest.mark.parametrize("text", [*WHOLE, *UNSPACED])
def test_a_word_keeps_its_marks_and_a_script_without_spaces_is_taken_by_character(text, no_jieba):
    tokenizer = train_tokenizer("word", [text])
    expected = (WHOLE | UNSPACED)[text]
    for form in ("NFC", "NFD"):
        ids = tokenizer.encode(unicodedata.normalize(form, text))
        assert tokenizer.decode(ids) == unicodedata.normalize("NFC", expected)
    assert bool(tokenizer.notes()) == (text in UNSPACED)


def test_a_word_counts_with_the_space_that_its_script_puts_after_it():
    tokenizer = train_tokenizer("word", ["我们 ab é ที่"])
    sizes = dict(zip(tokenizer.words, tokenizer.token_bytes()[1:], strict=True))
    assert sizes["ab"] == sizes["é"] == 3 and sizes["我"] == 3 and sizes["ที่"] == 9
    old = load_tokenizer({"kind": "word", "specials": ["<unk>"], "words": ["我们"]})
    assert old.token_bytes() == [0, 7]


@given(text=st.text(st.characters(exclude_categories=["Cs", "Mn", "Mc", "Me", "Cf", "Lo"])))
@few
def test_letters_without_marks_are_cut_as_they_always_were(text):
    composed = unicodedata.normalize("NFC", text)
    if "İ" in composed or any(unicodedata.category(c)[0] == "M" for c in composed):
        return
    expected = words.cutter(1)(composed)
    assert words.cutter(words.RULE)(text) == [unicodedata.normalize("NFC", w) for w in expected]


@given(text=st.text(st.characters(max_codepoint=127)))
@few
def test_ascii_is_cut_into_runs_of_letters(text):
    assert words.cutter(words.RULE)(text) == re.findall("[a-z]+", text.lower())


def test_the_files_of_older_runs_cut_as_they_did():
    state = {"kind": "word", "specials": ["<unk>"], "words": ["ह", "न", "stanbul", "我们"]}
    old = load_tokenizer(state)
    assert old.encode("हिन्दी İstanbul 我们").tolist() == [1, 2, 0, 0, 3, 4]
    assert old.to_json() == state and not old.notes()
    new = train_tokenizer("word", ["हिन्दी"])
    assert load_tokenizer(new.to_json()).encode("हिन्दी").tolist() == [1]
    with pytest.raises(UserError, match="damaged: words are cut by rule 4"):
        load_tokenizer(new.to_json() | {"rule": 4})


def test_chinese_is_cut_by_jieba_where_it_is_installed(jieba, monkeypatch):
    tokenizer = train_tokenizer("word", ["我们在北京, OK"])
    assert tokenizer.decode(tokenizer.encode("我们在北京 ok")) == "我们 在北 京 ok"
    assert tokenizer.notes() == ["Chinese is cut into words by jieba"]
    state = tokenizer.to_json()
    assert state["segmenter"] == "jieba" and load_tokenizer(state).encode("我们").tolist()[0] > 0
    assert train_tokenizer("word", ["東京でコーヒー"]).segmenter is None, "Japanese"
    assert train_tokenizer("word", ["english only"]).segmenter is None
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(UserError, match=r"jieba, which is not installed: pip install .*\[zh\]"):
        load_tokenizer(state)


def test_unknown_words_are_counted():
    tokenizer = train_tokenizer("word", ["a b c"])
    assert tokenizer.count_unknown("a x 1 y y") == (3, 4)


def test_words_are_counted_ranked_and_cut():
    text = "b b b c c a a d e E"
    assert train_tokenizer("word", [text]).words == ["b", "a", "c", "e", "d"]
    assert train_tokenizer("word", [text], min_count=2).words == ["b", "a", "c", "e"]
    small = train_tokenizer("word", [text], vocab_size=4, specials=[EOT])
    assert small.words == ["b", "a"] and small.vocab_size == 4
    assert small.encode("a c B").tolist() == [3, 0, 2]
    with pytest.raises(UserError, match="no word occurs data.min_count=4 times"):
        train_tokenizer("word", [text], min_count=4)
    with pytest.raises(UserError, match="no word occurs"):
        train_tokenizer("word", ["1 2 3"])
