"""Streaming: complete characters, stop strings held back, nothing lost."""

import json

import pytest
import torch
from published_tokenizers import write

from zoo.data.tokenizers.published import PublishedTokenizer
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.inference.generation import Sampling, generate
from zoo.inference.streaming import TextStream, stream
from zoo.models.gpt import GPT

TEXT = "héllo wörld, 你好 🎉🎊 and\nan end" * 2


@pytest.mark.parametrize("kind", ["byte", "char", "bpe"])
@pytest.mark.parametrize("known", [0, 1, 5])
def test_pieces_are_complete_characters_and_add_up(kind, known):
    tokenizer = train_tokenizer(kind, [TEXT], vocab_size=280)
    before = tokenizer.encode(TEXT[:known]).tolist()
    ids = tokenizer.encode(TEXT[known:]).tolist()
    pieces = TextStream(tokenizer.decode, before)
    released = [pieces.push(token) for token in ids] + [pieces.finish()]
    assert "".join(released) == TEXT[known:]
    assert "\ufffd" not in "".join(released)
    assert released[-1] == ""  # nothing was held longer than needed


@pytest.mark.parametrize("known", [0, 2, 3, 60])
def test_letters_that_are_bytes_of_sentencepiece_are_complete(known, tmp_path):
    write("llama2", tmp_path)
    tokenizer = PublishedTokenizer(json.loads((tmp_path / "tokenizer.json").read_text()))
    text = "the 中文🎉 cat " + "猫喵🎊" * 30 + " on"
    ids = tokenizer.encode(text).tolist()
    cut = len(tokenizer.encode(text[: 4 + known]))  # a prompt may end with such a letter
    pieces = TextStream(tokenizer.decode, ids[:cut])
    released = [pieces.push(token) for token in ids[cut:]] + [pieces.finish()]
    assert "".join(released) == text[4 + known :]
    assert released[-1] == ""


def test_words_keep_their_spaces():
    tokenizer = train_tokenizer("word", ["a cat sat on the mat"])
    ids = tokenizer.encode("the cat sat on a mat").tolist()
    pieces = TextStream(tokenizer.decode, ids[:1])
    assert [pieces.push(token) for token in ids[1:]] == [" cat", " sat", " on", " a", " mat"]


def test_bytes_that_are_no_text_are_shown_as_such():
    tokenizer = train_tokenizer("byte", [])
    for bad in (b"a\xffb", b"\x80\x80\x80", b"a\xf0\x9f", b"\xe4\xbda", b"\xf0\x9f" * 30):
        pieces = TextStream(tokenizer.decode)
        released = [pieces.push(token) for token in bad] + [pieces.finish()]
        assert "".join(released) == bad.decode("utf-8", errors="replace")


def push_letters(text, stop):
    pieces = TextStream(lambda ids: "".join(map(chr, ids)), stop=stop)
    return [pieces.push(ord(letter)) for letter in text], pieces


@pytest.mark.parametrize(
    ("text", "stop", "shown"),
    [
        ("one two", ["o t"], ["", "on", "e", " ", "t", "w", ""]),
        ("one two", ["e t"], ["o", "n", "", "", "", "", ""]),
        ("ab\n\ncd", ["\n\n"], ["a", "b", "", "", "", ""]),
        ("ab\ncd", ["\n\n"], ["a", "b", "", "\nc", "d"]),
        ("aaab", ["aab"], ["", "", "a", ""]),
        ("abcd", ["c", "bcd"], ["a", "", "b", ""]),  # what is complete first ends the text
        ("abc", [""], ["a", "b", "c"]),
    ],
)
def test_stop_strings_end_the_text_before_them(text, stop, shown):
    assert push_letters(text, stop)[0] == shown


def test_what_might_have_been_a_stop_string_comes_at_the_end():
    released, pieces = push_letters("ab\n", ["\n\n"])
    assert released == ["a", "b", ""] and pieces.finish() == "\n" and not pieces.stopped
    released, pieces = push_letters("ab\n\n", ["\n\n"])
    assert pieces.stopped and pieces.finish() == "" and pieces.push(ord("x")) == ""


def test_a_stream_stops_where_all_texts_have():
    torch.manual_seed(0)
    model = GPT(26, 8, width=32, depth=1, heads=2).eval()
    steps = []
    model.register_forward_pre_hook(lambda *_: steps.append(1))
    prompts = [[1, 2], [3]]

    def decode(ids):
        return "".join(chr(97 + i) for i in ids)

    def write(stop):
        steps.clear()
        results = ["", ""]
        for row, piece in stream(model, decode, prompts, 40, Sampling(seed=1), stop):
            results[row] += piece
        return results, len(steps)

    free, full = write([])
    rows = zip(*generate(model, prompts, 40, Sampling(seed=1)), strict=True)
    assert free == [decode(row) for row in rows] and full == 2 * 40
    stop = [free[0][5:7], free[1][8:10]]
    results, few = write(stop)
    assert few < full
    for text, whole in zip(results, free, strict=True):
        first = min(start for string in stop if (start := whole.find(string)) >= 0)
        assert text == whole[:first]


def test_a_space_after_a_special_token_is_kept(tmp_path):
    write("llama2", tmp_path)
    tokenizer = PublishedTokenizer(json.loads((tmp_path / "tokenizer.json").read_text()))
    ids = [
        *tokenizer.encode("the cat on the cat on").tolist(),
        2,
        *tokenizer.encode("the").tolist(),
    ]
    for count in range(24):
        pieces = TextStream(tokenizer.decode)
        shown = "".join(pieces.push(token) for token in ids[:1] * count + ids) + pieces.finish()
        assert shown == tokenizer.decode(ids[:1] * count + ids)
