"""`tokenizer.json`, as Hugging Face's own library reads it."""

import json

import pytest

from zoo.data.tokenizers.base import BOS, EOS, EOT, MASK, PAD
from zoo.data.tokenizers.bpe import BpeTokenizer
from zoo.data.tokenizers.published_files import read_published
from zoo.data.tokenizers.registry import ByteTokenizer, CharTokenizer, WordTokenizer
from zoo.tasks.masked_lm import MaskedLM
from zoo.weights.hf_tokenizer import tokenizer_files, tokenizer_json

TEXT = "Größe of a naïve fox <|endoftext|>[MASK]</s>\n 你好 🙂"
PIECES = [TEXT, " two  spaces", "\n", "[MASK]", "a<|endoftext|>", "</s><s><pad>", "ÿ"]
SPECIALS = [PAD, BOS, EOS, EOT, MASK]
KINDS = {
    "byte": ByteTokenizer(SPECIALS),
    "char": CharTokenizer.train([*PIECES, "abc"], SPECIALS),
    "bpe": BpeTokenizer.train(PIECES * 9, 290, SPECIALS),
    "sentences": BpeTokenizer.train(PIECES * 9, 290, SPECIALS, leading_space=True),
}


def published(content):
    made = pytest.importorskip("tokenizers").Tokenizer.from_str(json.dumps(content))
    made.encode_special_tokens = True
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_it_encodes_and_decodes_as_ours(kind):
    """Names of special tokens in a text are text, there as here."""
    own = KINDS[kind]
    theirs = published(tokenizer_json(own))
    for text in PIECES:
        ids = theirs.encode(text).ids
        assert ids == own.encode(text).tolist(), text
        assert theirs.decode(ids) == text
    assert theirs.get_vocab_size() == own.vocab_size
    assert {name: theirs.token_to_id(name) for name in SPECIALS} == own.specials


@pytest.mark.parametrize("kind", KINDS)
def test_every_id_is_the_token_that_it_was(kind):
    """The statement, not "the state[MASK]": no special token has the number of a piece."""
    own = KINDS[kind]
    theirs = published(tokenizer_json(own))
    assert all(theirs.id_to_token(number) is not None for number in range(own.vocab_size))
    plain = [number for number in range(own.vocab_size) if number >= own.first_id]
    for number in plain[:: max(1, len(plain) // 60)]:
        assert theirs.decode([number]) == own.decode([number])


@pytest.mark.parametrize("kind", ["byte", "bpe"])
def test_a_blank_is_read_where_a_model_fills_blanks(kind):
    own = KINDS[kind]
    files = tokenizer_files(own, fills_blanks=True)
    theirs, task = published(files.content), MaskedLM(own.vocab_size, own, own.specials[MASK])
    for text in ("the [MASK] of", "[MASK][MASK]", "two  [MASK]\n [MASK]<|endoftext|>", "好[MASK]"):
        assert theirs.encode(text).ids == task.encode(text), text


def test_no_other_special_token_is_read_there():
    """By `transformers` too, for which every token with a role is special."""
    for own in (KINDS["bpe"], KINDS["char"], ByteTokenizer([MASK])):
        files = tokenizer_files(own, fills_blanks=True)
        others = {name for role, name in files.names.items() if role != "mask_token"}
        assert all("\ufdd0" in name for name in others) and files.names["mask_token"] == MASK
        theirs, task = published(files.content), MaskedLM(own.vocab_size, own, own.specials[MASK])
        theirs.add_special_tokens(list(files.names.values()))
        theirs.encode_special_tokens = False
        for text in (
            "[MASK]</s>" if own.kind == "char" else "a<|endoftext|> ÿ[MASK]</s>",
            "[MASK]",
        ):
            assert theirs.encode(text).ids == task.encode(text), text
        assert theirs.get_vocab_size() == own.vocab_size


def test_the_roles_of_special_tokens():
    names = tokenizer_files(KINDS["bpe"]).names
    wanted = {"mask_token": MASK, "pad_token": PAD, "bos_token": EOT, "eos_token": EOT}
    assert names == wanted
    assert tokenizer_files(ByteTokenizer()).ids == {"pad_token": 255}  # in no text
    assert tokenizer_files(CharTokenizer.train([TEXT])).ids == {}
    assert tokenizer_files(BpeTokenizer.train([TEXT], 270, [EOT])).ids["pad_token"] == 0


@pytest.mark.parametrize("leading_space", [False, True])
def test_pieces_with_combining_marks_are_cut_as_ours(leading_space):
    text = "हिन्दी भाषा cafe\u0301, it's 42!\n\nशब्द"
    tokenizer = BpeTokenizer.train([text] * 9, 600, [EOT], leading_space)
    content = json.dumps(tokenizer_json(tokenizer))
    published = pytest.importorskip("tokenizers").Tokenizer.from_str(content)
    assert published.encode(text).ids == tokenizer.encode(text).tolist()
    whole = [tokenizer.token(i) for i in tokenizer.encode("हिन्दी भाषा")]
    assert whole[-1] == "·भाषा", "a word, not its marks"


def test_word_pieces_have_the_special_tokens_around_that_the_model_was_trained_with(tmp_path):
    """A text classifier's, cut as ours; none in a model that fills blanks, as ours."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "fox", "##es", "你", "好"]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    own = read_published(tmp_path)
    files = tokenizer_files(own, wraps=True)
    theirs = published(files.content)
    for text in ("The foxes", "你好 [MASK] [SEP] 🙂", "", "fox " * 9):
        for length in (5, 50):
            theirs.enable_truncation(length)
            assert theirs.encode(text).ids == own.wrap(own.encode(text), length).tolist()
    assert files.ids == {
        "pad_token": 0, "unk_token": 1, "cls_token": 2, "sep_token": 3, "mask_token": 4,
    }  # fmt: skip
    theirs = published(tokenizer_files(own, fills_blanks=True).content)
    task = MaskedLM(own.vocab_size, own, own.specials[MASK])
    for text in ("the [MASK] of [SEP]", "[MASK]es"):
        assert theirs.encode(text).ids == task.encode(text), text


def test_words_have_no_such_file():
    assert tokenizer_files(WordTokenizer.train([TEXT], 1, 100)) is None
