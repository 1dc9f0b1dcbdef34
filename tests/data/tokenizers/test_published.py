"""Tokenizers as Llama 2, Llama 3 and Qwen2 publish them: the ids of 2,000 difficult strings."""

import json
from types import SimpleNamespace

import pytest
from published_tokenizers import strings, write

from zoo.data.tokenizers.base import BOS, EOT
from zoo.data.tokenizers.published_files import read_published
from zoo.data.tokenizers.registry import load_tokenizer
from zoo.tasks.prompt import encode_prompt
from zoo.weights.hf_tokenizer import tokenizer_files

tokenizers = pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers")


@pytest.mark.parametrize("kind", ["llama2", "llama3", "qwen2"])
def test_tokens_are_those_of_transformers(kind, tmp_path):
    """Names of special tokens in a text are text; decoding gives the same."""
    write(kind, tmp_path)
    own = read_published(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    texts = list(strings())
    ids = theirs(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    for text, expected in zip(texts, ids, strict=True):
        assert own.encode(text).tolist() == expected, repr(text)
    for text, row in list(zip(texts, ids, strict=True))[::20]:
        assert own.decode(row) == theirs.decode(row, skip_special_tokens=True), repr(text)
    assert own.vocab_size == len(theirs)


@pytest.mark.parametrize(
    ("kind", "begin", "end"),
    [
        ("llama2", "<s>", "</s>"),
        ("llama3", "<|begin_of_text|>", "<|end_of_text|>"),
        ("qwen2", None, "<|im_end|>"),
    ],
)
def test_where_a_text_begins_and_ends(kind, begin, end, tmp_path):
    write(kind, tmp_path)
    own = load_tokenizer(read_published(tmp_path).to_json())
    model = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert own.specials[EOT] == model.token_to_id(end)
    assert own.begin_id == (None if begin is None else model.token_to_id(begin))
    bare = own.encode("the cat").tolist()
    first = [] if begin is None else [own.specials[BOS]]
    assert encode_prompt(own, None, "the cat", None) == first + bare
    assert encode_prompt(own, "{prompt}", "the cat", None) == bare, "as data=sft is trained"
    chat = SimpleNamespace(prompt=lambda messages: own.encode(messages[0]["content"]))
    assert encode_prompt(own, None, "the cat", None, chat) == bare, "as its template says"
    files = tokenizer_files(own, begins=True)
    again = tokenizers.Tokenizer.from_str(json.dumps(files.content))
    assert again.encode("the cat").ids == first + bare
    assert files.names["eos_token"] == end and (begin is None or files.names["bos_token"] == begin)
