"""How much of a text a vocabulary knows: refused where it is almost nothing, else a note."""

import pytest
from sample_documents import build, documents
from sample_tokenizers import MADE

from zoo.data.text.coverage import SAMPLE, coverage_notes, document_samples, spread
from zoo.data.text.document import Document
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.data.tokenizers.published import PublishedTokenizer
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError


def word_pieces(*words):
    """A small BERT vocabulary."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    model = Tokenizer(models.WordPiece({w: i for i, w in enumerate(names)}, unk_token="[UNK]"))
    model.normalizer = normalizers.BertNormalizer()
    model.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    model.add_special_tokens(names[:5])
    return published(model)


def pairs_without_bytes():
    """Byte pairs over a few characters: others vanish, there is no token for the unknown."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    model = Tokenizer(models.BPE({c: i for i, c in enumerate("▁abc")}, []))
    model.pre_tokenizer = pre_tokenizers.Metaspace()
    return published(model)


def published(model):
    import json

    return PublishedTokenizer(json.loads(model.to_str()))


def test_letters_of_unknown_and_of_dropped_tokens_are_counted():
    pieces = word_pieces("hello", "wor", "##ld", "你")
    assert pieces.count_unknown("Hello world, hello!") == (0, 15)
    assert pieces.count_unknown("hello 世界 你") == (2, 8)
    assert pieces.count_unknown("... !") == (0, 0)
    assert pairs_without_bytes().count_unknown("abc xyz") == (3, 6)


def test_bytes_of_a_vocabulary_of_characters_are_those_of_its_text():
    tokenizer = pairs_without_bytes()
    assert tokenizer.token_bytes() == [1, 1, 1, 1]
    assert tokenizer.word_starts() == [True, False, False, False]


def notes(tokenizer, predicted=True, **texts):
    samples = {split: lambda text=text: [text] for split, text in texts.items()}
    return coverage_notes("toy", tokenizer, samples, predicted)


def test_a_vocabulary_that_knows_nothing_is_refused_and_a_part_is_a_note():
    pieces = word_pieces("hello", "world")
    said = "toy: the published vocabulary of 7 tokens knows 0% of the text of the val split"
    with pytest.raises(UserError, match=said):
        notes(pieces, train="hello world", val="你好世界")
    assert notes(pieces, False, train="hello world", val="你好世界") == [
        "not in the vocabulary: about 100% of val (take weights of this language in init.from, or "
        "train a vocabulary: data.tokenizer=bpe)"
    ]
    assert notes(pieces, train="hello", val="hello hello 你好") == [
        "not in the vocabulary: about 17% of val (take weights of this language in init.from, or "
        "train a vocabulary: data.tokenizer=bpe)"
    ]
    assert not notes(pieces, train="hello world")
    words = train_tokenizer("word", ["a a a b b c d e f"], vocab_size=2)
    assert "about 67% of train (raise data.vocab_size" in notes(words, train="a a a b b c d e f")[0]
    for kind in ("byte", "char", "bpe"):
        assert not notes(MADE[kind], train="你好世界")


def test_running_text_is_checked_before_it_is_tokenised(tmp_path):
    config = TokenizerConfig("published", None, given=word_pieces("hello"))
    with pytest.raises(UserError, match="some: the published vocabulary .* knows 0%"):
        build(tmp_path, config, found=documents(("你好世界 " * 90,), ("世 " * 90,), ("界 " * 90,)))


def test_samples_are_spread_and_bounded():
    texts = list(spread((f"{i} " + "x" * SAMPLE for i in range(200)), 200))
    assert len(texts) == 67 and sum(map(len, texts)) <= 1.1 * SAMPLE
    assert [text.split()[0] for text in texts[:3]] == ["0", "3", "6"]
    many = {"train": [Document.of(str(i), f"{i} text") for i in range(130)]}
    assert list(document_samples(many)["train"]())[:2] == ["0 text", "2 text"]
