"""Pairs of passages: which follow, which do not, where they begin; and what is refused."""

import numpy as np
import pytest
import torch

from zoo.data.text.next_sentence import PairSource
from zoo.data.text.special_tokens import SPECIALS
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError

SIZE = 40
LETTERS = "abcdefghij"  # one a document, so that a passage says where it is from
TOKENIZER = train_tokenizer("char", [LETTERS + "0123456789. \n"], specials=SPECIALS)


def document(letter, sentences):
    """`a0a0. a1a1a1a1. ...`: sentences of two lengths."""
    return " ".join(f"{letter}{k % 10}" * (2 + 2 * (k % 2)) + "." for k in range(sentences))


TEXTS = [document(letter, 5 + 7 * k) for k, letter in enumerate(LETTERS)] + ["a."]


def source(texts=TEXTS, size=SIZE, tokenizer=TOKENIZER, split="train", origins=()):
    ends = [[*tokenizer.encode(text).tolist(), tokenizer.specials[SPECIALS[0]]] for text in texts]
    return PairSource(np.concatenate(ends).astype(np.uint8), size, tokenizer, split, origins)


def pairs(found, epoch=0):
    """Texts A and B, and whether B follows, of a whole epoch; checks what is around them."""
    index = torch.arange(len(found))
    batch = found.fetch(index, torch.full_like(index, epoch))
    pad, start, end = (TOKENIZER.specials[name] for name in ("<pad>", "<s>", "</s>"))
    for row, types, follows in zip(*(batch[c].tolist() for c in ("input", "types", "follows"))):
        assert len(row) == len(types) == SIZE + 1 and row[0] == start and row[-1] == pad
        first = row.index(end)
        second = row.index(end, first + 1)
        assert set(row[second + 1 :]) == {pad} and row.count(end) == 2 and row.count(start) == 1
        wanted = [0] * (first + 1) + [1] * (second - first) + [0] * (SIZE - second)
        assert types == wanted
        yield TOKENIZER.decode(row[1:first]), TOKENIZER.decode(row[first + 1 : second]), follows


def test_passages_follow_each_other_or_are_of_two_documents():
    found = source()
    assert len(found) == sum(max(1, len(text) // (SIZE - 3)) for text in TEXTS[:-1])
    for epoch in range(5):
        for first, second, follows in pairs(found, epoch):
            ours, theirs = (set(text) & set(LETTERS) for text in (first, second))
            assert len(ours) == len(theirs) == 1
            assert (ours == theirs) == bool(follows)
            if follows:
                assert first + second in TEXTS[LETTERS.index(ours.pop())]
            else:
                assert second in TEXTS[LETTERS.index(theirs.pop())]


def test_neither_lengths_nor_beginnings_tell_which_follow():
    rows = [row for epoch in range(40) for row in pairs(source(), epoch)]
    assert np.mean([follows for *_, follows in rows]) == pytest.approx(0.5, abs=0.03)
    full, begins = ({0: [], 1: []} for _ in range(2))
    for first, second, follows in rows:
        full[follows].append(len(first) + len(second) == SIZE - 3)
        begins[follows].append(second[0] == " " or second[0] in LETTERS and second[1:2] == "0")
    for told in (full, begins):
        assert np.mean(told[0]) == pytest.approx(np.mean(told[1]), abs=0.05)
    assert np.mean(begins[1]) > 0.9


def test_another_document_is_of_the_same_origin():
    origins, met = ["one"] * 4 + ["two"] * 5 + ["three"] + ["four"], set()
    groups = dict(zip(LETTERS, origins))
    for epoch in range(20):
        for first, second, _ in pairs(source(origins=origins), epoch):
            ours, theirs = (groups[(set(text) & set(LETTERS)).pop()] for text in (first, second))
            met.add((ours, theirs))
    assert {("one", "one"), ("two", "two")} < met
    assert {ours for ours, theirs in met if ours != theirs} == {"three"}  # it has one document


def test_a_pair_depends_on_its_number_and_epoch_alone():
    found, index = source(), torch.tensor([3, 0, 7])
    epoch = torch.tensor([2, 0, 1])
    batch = found.fetch(index, epoch)
    for k in range(3):
        alone = source().fetch(index[k : k + 1], epoch[k : k + 1])
        assert all(torch.equal(alone[name][0], batch[name][k]) for name in batch)
    again = found.fetch(index, torch.tensor([3, 0, 1]))
    assert not torch.equal(again["input"][0], batch["input"][0])
    assert torch.equal(again["input"][1:], batch["input"][1:])


def test_chinese_ends_its_sentences_and_lines_end_any():
    texts = [f"{c}一二。" * 9 + f"{c}三\n" * 9 for c in "甲乙"]
    tokenizer = train_tokenizer("char", texts, specials=SPECIALS)
    found = source(texts, SIZE, tokenizer)
    batch = found.fetch(torch.arange(len(found)), torch.ones(len(found), dtype=torch.int64))
    for row, types in zip(batch["input"], batch["types"], strict=True):
        assert tokenizer.decode(row[types == 1].tolist())[0] in "甲乙"


@pytest.mark.parametrize("texts", [["a" * 50, "a."], ["a."]])
@pytest.mark.parametrize("split,remedy", [("val", ", or raise data.val_fraction$"), ("train", "$")])
def test_a_split_of_one_document_is_refused(texts, split, remedy):
    said = f"the {split} split has . documents? of 16 tokens or more, .*: give more files{remedy}"
    with pytest.raises(UserError, match=said):
        len(source(texts, split=split))


def test_documents_that_are_too_short_are_said():
    expected = "train: 1 of 11 documents have fewer than 16 tokens and give no pairs"
    assert source().notes() == [expected] and source(TEXTS[:-1]).notes() == []


def test_a_long_passage_finds_the_longest_of_short_documents():
    found = source(["a" * 99, "b" * 17])
    for number in range(len(found)):
        batch = found.fetch(torch.tensor([number]), torch.tensor([0]))
        text = TOKENIZER.decode(batch["input"][0].tolist())
        assert batch["follows"] == int(len(set(text)) == 1)


def test_a_tokenizer_without_such_tokens_is_refused():
    with pytest.raises(UserError, match="the char tokenizer has no <s>, which it needs"):
        PairSource(
            np.zeros(9), SIZE, train_tokenizer("char", ["a"], specials=SPECIALS[:2]), "train"
        )
