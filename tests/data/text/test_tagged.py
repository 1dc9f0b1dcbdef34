"""Sentences with tags to padded batches; a run's tags and tokenizer hold for other data."""

import json

import pytest
import torch
from contexts import context

from zoo.data.splits import Split
from zoo.data.text.tagged import UNTAGGED, Sentence, tagged_dataset
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

WORDS = TokenizerConfig(tokenizer="word", vocab_size=None)


def sentence(text):
    """`dog/N barks/V loud/-`."""
    pairs = [word.split("/") for word in text.split()]
    return Sentence(
        tuple(word for word, _ in pairs), tuple(None if tag == "-" else tag for _, tag in pairs)
    )


def splits(train=("the/D dog/N barks/V", "a/D dog/N", "cats/N sleep/V"), test="rare/J dog/-"):
    return {
        "train": [sentence(one) for one in train],
        "val": [sentence("the/D cats/N")],
        "test": [sentence(test)],
    }


def build(given=None, config=WORDS, block_size=8, **options):
    return tagged_dataset("x", given or splits(), context(tokenizer=config, **options), block_size)


def test_batches_are_padded_and_only_words_with_a_tag_have_a_target():
    data = build()
    batch = data.splits["train"].fetch(torch.tensor([1, 0]))
    pad, names = data.facts["pad_id"], data.facts["tag_names"]
    assert names == ["D", "J", "N", "V"] and data.facts["tag_counts"] == [2, 0, 3, 2]
    assert batch["input"][0, 2] == pad and batch["target"][0].tolist() == [0, 2, UNTAGGED]
    assert [data.encoding.tokenizer.token(i) for i in batch["input"][1]] == ["the", "dog", "barks"]
    test = data.encoding.prepare(data.splits["test"].fetch(torch.tensor([0])))
    assert test["target"].tolist() == [[1, UNTAGGED]] and test["target"].dtype == torch.int64
    assert test["input"][0, 0] == 0  # <unk>: the vocabulary is of the training split
    assert data.splits["train"].bucket_key.tolist() == [3, 2, 2]
    assert any(note.startswith("x: 5 sentences of 11 words, 4 tags") for note in data.notes)
    assert any("1 word without a tag" in note for note in data.notes)


def test_tags_of_pieces_stay_with_their_words():
    whole = build(config=TokenizerConfig(tokenizer="byte"), block_size=6)
    source = whole.splits["train"]  # the dog | barks | a dog | cats | sleep
    assert len(source) == 5 and any("are cut into several" in note for note in whole.notes)
    first = source.fetch(torch.tensor([0]))
    assert first["target"].tolist() == [[0, UNTAGGED, UNTAGGED, 2, UNTAGGED, UNTAGGED]]


def test_a_run_evaluates_other_sentences_by_its_own_tags_and_words():
    data = build()
    saved = json.loads(json.dumps(data.encoding.to_json()))
    other = {"train": [], "val": [], "test": [sentence("dog/V the/N")]}
    again = build(other, encoding=saved)
    batch = again.splits["all"].fetch(torch.tensor([0]))
    assert batch["target"].tolist() == [[3, 2]] and again.facts["tag_names"] == ["D", "J", "N", "V"]
    with pytest.raises(UserError, match="the data has 1 class .X., the run was trained on 4"):
        build({"train": [], "val": [], "test": [sentence("dog/X")]}, encoding=saved)
    with pytest.raises(UserError, match="data.tokenizer=byte: the run was trained with a word"):
        build(other, TokenizerConfig(tokenizer="byte"), encoding=saved)


def test_data_without_anything_to_tell_apart_is_refused():
    with pytest.raises(UserError, match="the training split has only the tag 'N'; expected two"):
        build(splits(train=["dog/N", "cat/N"]))
    with pytest.raises(UserError, match="the training split has no tags"):
        build(splits(train=["dog/-", "cat/-"]))
    with pytest.raises(UserError, match="data.block_size=0: expected 1 or more"):
        build(block_size=0)


def test_a_part_of_the_sentences_is_trained_on_and_lies_within_a_larger_one():
    many = splits(train=[f"w{k}/{'DN'[k % 2]}" for k in range(20)])

    def words(size, **options):
        data = build(many, split=Split(train_size=size), **options)
        rows = data.splits["train"].tokens
        return data, {
            data.encoding.tokenizer.token(int(i)) for i in rows.rows(torch.arange(size), 0)
        }

    (data, few), (_, more) = words(5), words(9)
    assert len(few) == 5 and few < more and data.sha256 == build(many).sha256
    assert sum(data.facts["tag_counts"]) == 5 and len(data.splits["val"]) == 1
    with pytest.raises(UserError, match="data.train_size=21: the training split has 20 rows"):
        words(21)
    with pytest.raises(UserError, match="data.train_size=2/class: a sample .* has not one class"):
        build(many, split=Split(train_size="2/class"))
    other = build(many, split=Split(train_size=5), encoding=data.encoding.to_json())
    assert len(other.splits["all"]) == 22, "whatever is trained on"


def test_noise_replaces_tags_of_the_training_words_that_have_one():
    many = splits(train=["a/D b/- c/N d/V"] * 10)
    clean, noisy = build(many), build(many, label_noise=0.2)
    rows = torch.arange(10)
    tags = [data.splits["train"].fetch(rows)["target"] for data in (clean, noisy)]
    assert (tags[0] != tags[1]).sum() == 6 and (tags[1][:, 1] == UNTAGGED).all()
    assert noisy.sha256 == clean.sha256 and noisy.facts["tag_counts"] != clean.facts["tag_counts"]
    for split in ("val", "test"):
        one = [data.splits[split].fetch(rows[:1])["target"] for data in (clean, noisy)]
        assert torch.equal(*one)


def test_content_decides_the_fingerprint():
    same, other = build(), build(splits(train=("the/D dog/N barks/N", "a/D dog/N", "cats/N s/V")))
    assert build().sha256 == same.sha256 != other.sha256
