"""Sums: the questions that were asked for, each in one split, whichever way round it is."""

import pytest
from contexts import context

from zoo.data.datasets.sums import sums
from zoo.data.encoding import load_encoding
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

CHARACTERS = TokenizerConfig(tokenizer="char", vocab_size=None)


def build(split, block_size=16, **options):
    return sums(context(split, tokenizer=CHARACTERS), block_size, **options)


def questions(dataset):
    """The texts of each split, `17+25=42`."""
    decode = dataset.encoding.tokenizer.decode
    return {
        name: [decode(row.tolist()) for row in source.rows.flat.split(source.rows.lengths.tolist())]
        for name, source in dataset.splits.items()
    }


def test_every_question_up_to_the_largest_number_is_there_once(split):
    dataset = build(split, largest=9, operations="+-*")
    texts = [text for rows in questions(dataset).values() for text in rows]
    expected = {
        f"{a}{sign}{b}={value}"
        for a in range(10)
        for b in range(10)
        for sign, value in (("+", a + b), ("-", a - b), ("*", a * b))
    }
    assert len(texts) == 300 and set(texts) == expected


def test_neither_a_test_question_nor_its_mirror_is_trained_on(split):
    splits = questions(build(split, largest=30, size=1200))
    known = {text.split("=")[0] for name in ("train", "val") for text in splits[name]}
    mirrors = {"+".join(reversed(text.split("+"))) for text in known if "+" in text}
    held = {text.split("=")[0] for text in splits["test"]}
    assert len(known) + len(held) == 1200 and not held & (known | mirrors)
    assert any("+" in text for text in held) and any("-" in text for text in held)
    assert len(held) == pytest.approx(240, abs=20)


def test_the_questions_follow_from_the_seed_of_the_split(split):
    first, second = (build(split, largest=10**4, size=100) for _ in range(2))
    assert first.sha256 == second.sha256
    again = sums(context(split, first.encoding.to_json(), tokenizer=CHARACTERS), 16, size=100)
    assert set(again.splits) == {"train", "val", "test", "all"} and len(again.splits["all"]) == 100


def test_the_verifier_is_kept_with_a_run(split):
    encoding = load_encoding(build(split, size=100).encoding.to_json())
    assert encoding.runtime_facts["verifier"]("2-3=", "-1") == 1
    assert encoding.runtime_facts["tokenizer"].vocab_size == 14


@pytest.mark.parametrize(
    "options, message",
    [
        ({"operations": "+/"}, "data.operations=.*one or more of"),
        ({"operations": ""}, "data.operations="),
        ({"largest": 0}, "data.largest=0: expected 1 to 1,000,000,000"),
        ({"size": 10}, "data.size=10"),
        ({"block_size": 3, "operations": "*", "size": 5000}, "longer than data.block_size=3"),
    ],
)
def test_what_cannot_be_asked_is_refused(options, message, split):
    with pytest.raises(UserError, match=message):
        build(split, **options)
