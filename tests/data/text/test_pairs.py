"""Pairs of texts: what goes in comes out, nothing leaks between splits, mistakes are one line."""

import pytest
import torch
from contexts import context
from sample_pairs import BPE, BYTE, CHAR, made, texts, tiny_pairs

from zoo.batch import spread
from zoo.data.text.pair_encoding import PairEncoding
from zoo.data.text.pairs import pair_dataset
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError


def test_batches_are_as_tasks_and_models_expect():
    dataset, splits = made()
    facts = dataset.facts
    assert (facts["pad_id"], facts["bos_id"], facts["eos_id"]) == (0, 1, 2)
    batch = dataset.splits["train"].fetch(torch.tensor([4, 0, 2]), torch.zeros(3))
    for k, side in enumerate(("source", "target")):
        lengths = [len(splits["train"][i][k]) + 2 for i in (4, 0, 2)]
        assert batch[side].shape == (3, max(lengths))
        for row, length in zip(batch[side], lengths, strict=True):
            assert row[0] == 1 and row[length - 1] == 2
            assert (row[1 : length - 1] > 2).all() and not row[length:].any()
    assert facts["max_length"] == max(len(t) for p in tiny_pairs() for t in p) + 2
    assert facts["vocab_size"] == 3 + len({c for p in tiny_pairs() for t in p for c in t})
    assert dataset.encoding.runtime_facts == {"tokenizer": dataset.encoding.tokenizer}


def test_bpe_is_trained_on_training_text_alone():
    plain = [("ab", "ab")] * 9
    rare = {"train": plain, "val": [("zqzq", "zqzq")] * 99, "test": plain}
    tokenizer = pair_dataset("toy", rare, context(tokenizer=BPE)).encoding.tokenizer
    assert len(tokenizer.encode("zqzq")) == 5 and len(tokenizer.encode("ab")) == 1


def test_bucket_key_is_the_targets_length_then_the_sources():
    dataset, splits = made()
    order = dataset.splits["train"].bucket_key.argsort(stable=True).tolist()
    lengths = [(len(b), len(a)) for a, b in splits["train"]]
    assert [lengths[i] for i in order] == sorted(lengths)


def test_a_run_evaluates_other_pairs_with_its_own_encoding():
    dataset, _ = made(BPE, max_length=12)
    fitted = dataset.encoding.to_json()
    other = {"train": [("dog", "x")], "val": [], "test": [("x", "men"), ("x" * 50, "x")]}
    other_data = pair_dataset("other", other, context(tokenizer=BPE, encoding=fitted))
    assert texts(other_data, "all") == [("dog", "x"), ("x", "men")]
    assert other_data.encoding.facts() == dataset.encoding.facts()
    with pytest.raises(UserError, match=r"^data.tokenizer=char: the run was .* a bpe tokenizer"):
        pair_dataset("other", other, context(tokenizer=CHAR, encoding=fitted))
    with pytest.raises(UserError, match="pairs of texts, the run was trained on images"):
        pair_dataset("other", other, context(tokenizer=BPE, encoding=IMAGE))


IMAGE = {
    "kind": "image", "channels": 1, "size": [8, 8], "mean": [0.5], "std": [0.5],
    "resize": "stretch", "class_names": ["a", "b"],
}  # fmt: skip


def test_long_pairs_are_left_out_and_counted():
    dataset, _ = made(CHAR, max_length=20)
    assert max(len(text) for pair in texts(dataset, "train") for text in pair) == 18
    left = len(texts(dataset, "train"))
    assert f"{30 - left} of 30 in train" in dataset.notes[1]
    assert dataset.facts["max_length"] == 20
    with pytest.raises(UserError, match=r"longer than 3 tokens \(the longest has 26\).*max_length"):
        made(CHAR, max_length=3)


def test_words_are_refused():
    with pytest.raises(
        UserError, match="drops capitals, digits and punctuation.*bpe, char or byte"
    ):
        made(TokenizerConfig("word"))


def test_facts_of_the_targets():
    pairs = {"train": [("a", "我们去北京"), ("b", "看 天安门!")] * 9, "val": [("a", "b")] * 3}
    pairs["test"] = pairs["val"]
    facts = pair_dataset("toy", pairs, context(tokenizer=BYTE)).facts
    assert facts["target_script"] == "Chinese" and facts["target_lengths"] == [3, 5]
    assert made()[0].facts["target_script"] is None


def test_a_handful_is_all_that_is_encoded(monkeypatch):
    whole, splits = made(BPE)
    encoded, encode = [], PairEncoding.encode
    noted = lambda self, text: encoded.append(text) or encode(self, text)  # noqa: E731
    monkeypatch.setattr(PairEncoding, "encode", noted)
    few = pair_dataset("toy", splits, context(tokenizer=BPE, max_samples=4))
    assert len(encoded) == 2 * 3 * 4 and few.sha256 == whole.sha256
    assert few.facts["vocab_size"] == whole.facts["vocab_size"]
    for split, numbers in (("train", spread(30, 4)), ("val", spread(5, 4))):
        assert texts(few, split) == [texts(whole, split)[i] for i in numbers.tolist()]
