"""Texts of classes: from a CSV file or the standard library to padded batches, and back again."""

import json

import pytest
import torch
from contexts import context
from sample_texts import build, decoded, table

from zoo.data.encoding import load_encoding
from zoo.data.text.labelled import labelled_text_dataset
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError


def test_batches_are_padded_on_the_right_to_their_own_longest(write):
    data = build(write("t.csv", table()))
    source, pad = data.splits["train"], data.facts["pad_id"]
    assert data.facts["vocab_size"] == 257 and data.facts["block_size"] == 64
    lengths = source.bucket_key
    for index in (lengths.argmin()[None], torch.stack([lengths.argmin(), lengths.argmax()])):
        tokens = source.fetch(index)["input"]
        assert tokens.shape == (len(index), int(lengths[index].max()))
        for row, length in zip(tokens, lengths[index].tolist(), strict=True):
            assert (row[:length] != pad).all() and (row[length:] == pad).all()


def test_words_are_padded_by_an_id_that_is_no_word(write):
    """Id 0 is `<unk>` there."""
    data = build(write("t.csv", table()), TokenizerConfig(tokenizer="word", vocab_size=None))
    assert data.facts["pad_id"] == 1
    whole = data.splits["train"].fetch(torch.arange(len(data.splits["train"])))["input"]
    assert (whole == 1).any() and set(whole[:, 0].tolist()).isdisjoint({1})


def test_long_texts_are_cut_and_counted(write):
    data = build(write("t.csv", table()), block_size=8)
    assert int(data.splits["train"].bucket_key.max()) == 8
    assert "dog 5 th" in [text for split in data.splits for text, _ in decoded(data, split)]
    note = next(note for note in data.notes if "truncated" in note)
    assert "are longer than data.block_size=8 tokens (up to " in note
    assert "truncated" not in "".join(build(write("t.csv", table()), block_size=900).notes)


def test_the_tokenizer_learns_from_the_training_split_alone(write):
    words = TokenizerConfig(tokenizer="word", vocab_size=None)
    content = "body,kind\n" + "".join(
        f"{'abcdefghij'[i % 10] * (2 + i // 10)},{'xy'[i % 2]}\n" for i in range(60)
    )
    data = build(write("t.csv", content), words)
    train = {text for text, _ in decoded(data, "train")}
    assert set(data.encoding.tokenizer.words) == train and len(train) == 36
    assert {text for text, _ in decoded(data, "test")} == {"<unk>"}


def test_texts_in_both_train_and_test_are_counted(write):
    lines = ["body,kind"] + [f"same text,{'xy'[i % 2]}" for i in range(40)]
    notes = build(write("t.csv", "\n".join(lines))).notes
    assert any(
        note.startswith("16 texts of the val and test splits are also in the") for note in notes
    )


def test_a_run_evaluates_other_texts_by_the_names_of_its_classes(write):
    """Another order of classes, another delimiter and column order; one class is missing."""
    data = build(write("t.csv", table(classes=("cat", "dog", "emu"))))
    saved = json.loads(json.dumps(data.encoding.to_json()))
    other = write("new.csv", "kind;body\nemu;emu née\ncat;cat né\n")
    again = build(other, encoding=saved, text=None, target=None, block_size=3)
    assert decoded(again, "all") == [("emu née", "emu"), ("cat né", "cat")]
    assert again.facts["class_names"] == ["cat", "dog", "emu"]


def test_a_text_without_any_word_is_padding():
    texts = ["one", "two", "1 2", "one", "two", "3", "one", "two", "4", "-"]
    labels = torch.tensor([0, 1] * 5)
    index = {"train": torch.arange(6), "val": torch.tensor([6, 7]), "test": torch.tensor([8, 9])}
    words = TokenizerConfig(tokenizer="word", vocab_size=None)
    data = labelled_text_dataset("x", texts, labels, ["a", "b"], index, context(tokenizer=words), 8)
    assert data.splits["test"].fetch(torch.arange(2))["input"].tolist() == [[1], [1]]


def test_a_run_refuses_what_is_not_like_it(write):
    saved = build(write("t.csv", table())).encoding.to_json()
    path = write("new.csv", "body,kind\ncow one,cow\ncow two,cow\n")
    with pytest.raises(UserError, match="the data has 1 class .cow., the run was trained on 2"):
        build(path, encoding=saved)
    with pytest.raises(UserError, match="data.tokenizer=char: the run was trained with a byte"):
        build(path, TokenizerConfig(tokenizer="char"), encoding=saved)
    with pytest.raises(UserError, match="the run was trained on text;"):
        text = {"kind": "text", "length": 3, "tokenizer": saved["tokenizer"]}
        build(path, encoding=text)
    encoding = load_encoding(saved)
    for given, said in (("  ", "input= is empty"), (write("e.txt", "\n\n"), "the file is empty")):
        with pytest.raises(UserError, match=said):
            encoding.read(given)
    with pytest.raises(UserError, match="unknown column 'body'"):
        encoding.read(write("other.csv", "text\nx\n"))
