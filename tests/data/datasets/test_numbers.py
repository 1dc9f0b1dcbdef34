"""Numbers and their words: exact, and no test number in the training split."""

import pytest
from contexts import context
from sample_pairs import CHAR, texts

from zoo.data.datasets.numbers import LONGEST, in_words, numbers
from zoo.data.splits import Split
from zoo.errors import UserError


def read(words):
    """The number that words say, by adding up: the inverse of `in_words`, written another way."""
    units = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    units = (units + "fifteen sixteen seventeen eighteen nineteen").split()
    tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    total = group = 0
    for word in words.replace("-", " ").split():
        if word in units:
            group += units.index(word)
        elif word in tens:
            group += 10 * tens.index(word) + 20
        elif word == "hundred":
            group *= 100
        else:
            total, group = total + group * {"thousand": 1000, "million": 10**6}[word], 0
    return total + group


def test_numbers_are_spelt_as_they_are_read():
    step = 7919
    assert all(read(in_words(n)) == n for n in [*range(1200), *range(0, 10**7, step)])
    assert in_words(40_215) == "forty thousand two hundred fifteen"
    assert in_words(1_000_021) == "one million twenty-one"
    assert max(len(in_words(n)) for n in range(7_000_000, 8_000_000, 37)) <= LONGEST
    assert len(in_words(7_777_777)) == LONGEST


def test_no_test_number_is_trained_on_and_the_longer_ones_are_longer():
    dataset = numbers(context(Split(0.1, 0.1), tokenizer=CHAR), size=600, letters=60)
    actual = {name: texts(dataset, name) for name in dataset.splits}
    known = {
        name: {n for pair in rows for n in pair if n.isdigit()} for name, rows in actual.items()
    }
    assert len(known["train"] | known["val"] | known["test"]) == 600 + len(known["longer"])
    assert known["longer"] < known["test"] and 5 * len(known["longer"]) == len(known["test"])
    for rows in actual.values():
        assert all(b == in_words(int(a)) if a.isdigit() else a == in_words(int(b)) for a, b in rows)
        assert 2 * sum(a.isdigit() for a, _ in rows) == len(rows)
    letters = {name: [len(t) for pair in rows for t in pair] for name, rows in actual.items()}
    assert max(letters["train"] + letters["val"]) <= 60
    assert min(len(in_words(int(n))) for n in known["longer"]) > 60
    assert {len(n) for n in known["train"]} == set(range(1, 8))
    assert dataset.facts["max_length"] == LONGEST + 2


def test_numbers_one_way(split):
    for direction, side in (("spell", 0), ("read", 1)):
        dataset = numbers(context(split, tokenizer=CHAR), direction=direction, size=200)
        assert all(pair[side].isdigit() for pair in texts(dataset, "train"))


def test_numbers_follow_the_split_seed():
    one, same, other = (
        numbers(context(Split(split_seed=s), tokenizer=CHAR), size=200).sha256 for s in (1, 1, 2)
    )
    assert one == same != other


def test_numbers_that_are_too_few(split):
    with pytest.raises(UserError, match="fewer than .* have words of 78 to 78 letters"):
        numbers(context(split, tokenizer=CHAR), size=200, letters=77)


@pytest.mark.parametrize("wrong", [{"size": 9}, {"letters": 78}, {"letters": 5}, {"longer": 1.0}])
def test_numbers_out_of_range(split, wrong):
    with pytest.raises(UserError, match="expected"):
        numbers(context(split, tokenizer=CHAR), **wrong)
