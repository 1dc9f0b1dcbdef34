"""`tokenizer.json`, as Hugging Face's own library reads it."""

import json

import pytest

from zoo.data.tokenizers.base import EOT
from zoo.data.tokenizers.bpe import BpeTokenizer
from zoo.data.tokenizers.registry import ByteTokenizer, CharTokenizer, WordTokenizer
from zoo.weights.hf_tokenizer import tokenizer_json

TEXT = "Größe of a naïve fox\n"


@pytest.mark.parametrize(
    "tokenizer",
    [
        ByteTokenizer([EOT]),
        CharTokenizer.train([TEXT], [EOT]),
        BpeTokenizer.train([TEXT * 9], 270, [EOT]),
    ],
    ids=["byte", "char", "bpe"],
)
def test_it_encodes_and_decodes_as_ours(tokenizer):
    published = pytest.importorskip("tokenizers").Tokenizer.from_str(
        json.dumps(tokenizer_json(tokenizer))
    )
    ids = published.encode(TEXT).ids
    assert ids == tokenizer.encode(TEXT).tolist()
    assert published.decode(ids) == TEXT
    assert published.token_to_id(EOT) == tokenizer.specials[EOT]


@pytest.mark.parametrize("leading_space", [False, True])
def test_pieces_with_combining_marks_are_cut_as_ours(leading_space):
    text = "हिन्दी भाषा cafe\u0301, it's 42!\n\nशब्द"
    tokenizer = BpeTokenizer.train([text] * 9, 600, [EOT], leading_space)
    content = json.dumps(tokenizer_json(tokenizer))
    published = pytest.importorskip("tokenizers").Tokenizer.from_str(content)
    assert published.encode(text).ids == tokenizer.encode(text).tolist()
    whole = [tokenizer.token(i) for i in tokenizer.encode("हिन्दी भाषा")]
    assert whole[-1] == "·भाषा", "a word, not its marks"


def test_words_have_no_such_file():
    assert tokenizer_json(WordTokenizer.train([TEXT], 1, 100)) is None
