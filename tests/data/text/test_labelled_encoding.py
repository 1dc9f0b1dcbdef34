"""Labelled texts as ids: what a run keeps, and what predictions read."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sample_texts import build, table

from zoo.data.encoding import load_encoding
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError


@pytest.mark.parametrize("kind", ["byte", "char", "word", "bpe"])
def test_an_encoding_comes_back_from_json(write, kind):
    data = build(write("t.csv", table()), TokenizerConfig(tokenizer=kind, vocab_size=300))
    again = load_encoding(json.loads(json.dumps(data.encoding.to_json())))
    assert again.facts() == data.encoding.facts()
    assert np.array_equal(again.encode("cat 1 the"), data.encoding.encode("cat 1 the"))


def test_reads_a_text_a_file_of_lines_or_a_table(write):
    encoding = build(write("t.csv", table()), block_size=9).encoding
    names, batch = encoding.read("a cat, a very long one")
    assert names == ["a cat, a very long one"]
    assert encoding.tokenizer.decode(batch["input"][0].tolist()) == "a cat, a "
    path = write("lines.txt", "cat\n\nné dog\n")
    names, batch = encoding.read(path)
    assert names == [f"{path}:1", f"{path}:3"]
    assert batch["input"].shape == (2, 7)
    assert [encoding.tokenizer.decode(r.tolist()) for r in batch["input"]] == ["cat", "né dog"]
    path = write("new.csv", 'number,body\n1,"x\ny"\n2,z\n')
    names, batch = encoding.read(path)
    assert names == [f"{path}:3", f"{path}:4"]
    assert [encoding.tokenizer.decode(r.tolist()) for r in batch["input"]] == ["x\ny", "z"]
    assert len(encoding.read("long " * 2000)[0]) == 1  # longer than a file's name may be


def test_a_list_of_texts_is_read_though_a_file_has_such_a_name(write):
    encoding = build(write("t.csv", table()), block_size=200).encoding
    path = write("lines.txt", "cat\n\nné dog\n")
    names, batch, _ = encoding.read_value([path, "dog"])
    assert names == [path, "dog"]
    assert [encoding.tokenizer.decode(r.tolist()) for r in batch["input"]] == [path, "dog"]
    for wrong in ([], ["dog", " "], [1], {"text": "dog"}):
        with pytest.raises(UserError, match="expected a text, or a list of texts"):
            encoding.read_value(wrong)


def test_texts_that_nothing_is_known_of_are_said(write):
    words = TokenizerConfig(tokenizer="word", vocab_size=300)
    encoding = build(write("t.csv", table()), words).encoding
    assert encoding.read_noted("a cat")[2] == []
    assert encoding.read_noted("a xyzzy")[2] == []
    (note,) = encoding.read_noted("我们 xyzzy")[2]
    assert note.startswith("the run's vocabulary knows nothing of the text")
    assert encoding.read_noted("new_cats.csv")[2][0].startswith("no such file, so it is a text")
    assert "of 1 of 2 texts" in encoding.read_noted(write("lines.txt", "a cat\nxyzzy\n"))[2][0]
    assert build(write("t.csv", table())).encoding.read_noted("我们")[2] == []  # of bytes


def test_texts_that_are_cut_off_are_said(write):
    encoding = build(write("t.csv", table()), block_size=9).encoding
    assert encoding.read_noted("nine or 9")[2] == []
    (note,) = encoding.read_noted("nine or ten")[2]
    assert note.startswith("the text has more than the 9 tokens that the model reads")
    (note,) = encoding.read_noted(write("lines.txt", "a cat\nnine or ten\nnine or 11\n"))[2]
    assert note.startswith("2 of 3 texts have more than the 9 tokens")


def test_room_for_texts_is_without_the_tokens_around_them(write):
    encoding = build(write("t.csv", table()), block_size=9).encoding
    wrapping = train_tokenizer("char", ["nine or 11"], specials=["<pad>", "<s>", "</s>"])
    encoding = replace(encoding, tokenizer=wrapping)
    assert encoding.read_noted("nine or")[2] == [] and len(encoding.read_noted("nine or ")[2]) == 1
    assert encoding.truncated([encoding.encode(text) for text in ("nine or", "nine or ")]) == 1
