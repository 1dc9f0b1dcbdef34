"""`tokenizer.json`, as Hugging Face's own library reads it."""

import json

import pytest

from zoo.data.tokenizers.registry import ByteTokenizer, CharTokenizer, WordTokenizer
from zoo.weights.hf_tokenizer import tokenizer_json

TEXT = "Größe of a naïve fox\n"


@pytest.mark.parametrize(
    "tokenizer", [ByteTokenizer(), CharTokenizer.train([TEXT])], ids=["byte", "char"]
)
def test_it_encodes_and_decodes_as_ours(tokenizer):
    published = pytest.importorskip("tokenizers").Tokenizer.from_str(
        json.dumps(tokenizer_json(tokenizer))
    )
    ids = published.encode(TEXT).ids
    assert ids == tokenizer.encode(TEXT).tolist()
    assert published.decode(ids) == TEXT


def test_words_have_no_such_file():
    assert tokenizer_json(WordTokenizer.train([TEXT], 1, 100)) is None
