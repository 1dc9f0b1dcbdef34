"""Names of several words, counted as conlleval does."""

import random

import pytest
import torch

from zoo.kernels import IGNORE_INDEX
from zoo.tasks.spans import Spans, span_f1, spans_of

TAGS = ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]


def names_in(tags):
    """(kind, first, last) of each name, by a loop over the words."""
    found, open_name = [], None
    for place, tag in enumerate([*tags, "O"]):
        kind = tag[2:]
        if open_name and (tag[0] != "I" or kind != open_name[0]):
            found.append((*open_name, place - 1))
            open_name = None
        if tag != "O" and open_name is None:
            open_name = (kind, place)
    return found


def sums(rows, guesses, tags=TAGS):
    width = max(map(len, rows))
    target = torch.full((len(rows), width), IGNORE_INDEX)
    predicted = torch.randint(len(tags), (len(rows), width))  # anything, behind the end
    for k, (row, guess) in enumerate(zip(rows, guesses, strict=True)):
        for t, (true, said) in enumerate(zip(row, guess, strict=True)):
            target[k, t] = IGNORE_INDEX if true == "-" else tags.index(true)
            predicted[k, t] = 0 if said == "-" else tags.index(said)
    return [int(x) for x in Spans(tags).sums(target, predicted).values()]


@pytest.mark.parametrize(
    "true, guess, expected",
    [
        ("B-PER I-PER O B-LOC", "B-PER I-PER O B-LOC", [2, 2, 2]),
        ("B-PER I-PER O B-LOC", "B-PER O O B-PER", [2, 2, 0]),
        ("B-PER I-PER I-PER", "I-PER I-PER I-PER", [1, 1, 1]),  # a name may begin with I-
        ("B-PER B-PER", "B-PER I-PER", [2, 1, 0]),
        ("I-PER I-LOC", "B-PER B-LOC", [2, 2, 2]),
        ("O O", "O B-PER", [0, 1, 0]),
        ("B-PER - - I-PER", "B-PER - - I-PER", [1, 1, 1]),  # tokens that begin no word
    ],
)
def test_a_name_is_right_if_all_of_it_is(true, guess, expected):
    assert sums([true.split()], [guess.split()]) == expected


def test_agrees_with_a_loop_over_words():
    draw = random.Random(0)
    rows, guesses = (
        [[draw.choice(TAGS) for _ in range(length)] for length in range(1, 12)] for _ in range(2)
    )
    pairs = [(set(names_in(row)), set(names_in(guess))) for row, guess in zip(rows, guesses)]
    counts = [sum(len(x) for x in column) for column in zip(*pairs)]
    assert sums(rows, guesses) == [*counts, sum(len(true & said) for true, said in pairs)]


def test_f1_and_which_tags_are_names():
    means = {"spans": torch.tensor(4.0), "spans_predicted": torch.tensor(2.0)}
    assert span_f1(means | {"spans_right": torch.tensor(1.5)}) == 0.5
    nothing = dict.fromkeys(("spans", "spans_predicted", "spans_right"), torch.tensor(0.0))
    assert span_f1(nothing) == 0.0
    assert spans_of(TAGS) and spans_of(["B-X", "I-X"]) and not spans_of(["O"])
    assert not spans_of(["name", "O"]) and not spans_of(["B-", "O"]) and not spans_of(["B-X", "N"])
    assert sums([["B-X", "I-X"]], [["B-X", "B-X"]], ["B-X", "I-X"]) == [1, 2, 0]
