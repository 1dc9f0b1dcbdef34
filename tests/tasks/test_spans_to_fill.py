"""Spans that one mask stands for: how many tokens, how long, where."""

import math
from random import Random

import pytest

from zoo.tasks.spans_to_fill import poisson, span_lengths, with_gaps

MASK = -1


def restored(shown, tokens, hidden):
    """What is shown is the tokens that are not hidden, in order, with masks between."""
    return [t for t in shown if t != MASK] == [t for t, gone in zip(tokens, hidden) if not gone]


@pytest.mark.parametrize("rate", [0.3, 0.01, 0.9])
@pytest.mark.parametrize("length", [3.0, 0.5])
def test_so_many_tokens_are_hidden_and_the_rest_is_shown(rate, length):
    tokens = list(range(100, 160))
    for seed in range(200):
        shown, hidden = with_gaps(tokens, seed, rate, length, MASK)
        assert sum(hidden) == max(1, round(60 * rate)) and len(hidden) == 60
        assert len(shown) <= 60 and MASK in shown and restored(shown, tokens, hidden)
        assert (shown, hidden) == with_gaps(tokens, seed, rate, length, MASK)


def test_tokens_are_hidden_equally_often_but_for_both_ends():
    tokens = list(range(60))
    rows = [with_gaps(tokens, seed, 0.3, 3.0, MASK) for seed in range(4000)]
    rates = [sum(hidden[k] for _, hidden in rows) / 4000 for k in range(60)]
    middle = rates[8:-8]
    assert max(middle) - min(middle) < 0.06 and sum(middle) / len(middle) > 0.3
    for left, right in zip(rates[:8], rates[::-1]):  # a span does not pass the ends
        assert 0.1 < left < 0.36 and left == pytest.approx(right, abs=0.05)
    assert len({tuple(shown) for shown, _ in rows}) > 3990
    masks = sum(shown.count(MASK) for shown, _ in rows) / 4000
    assert masks == pytest.approx(18 / 3.0, abs=0.8)  # the last span is cut


def test_lengths_are_those_of_poisson():
    draw = Random(0).random
    numbers = [poisson(3.0, draw) for _ in range(20_000)]
    for k in range(8):
        chance = math.exp(-3) * 3**k / math.factorial(k)
        assert numbers.count(k) / 20_000 == pytest.approx(chance, abs=0.01)
    assert poisson(3.0, lambda: 1 - 2**-53) < 40  # it ends, whatever is drawn
    for seed in range(100):
        lengths = span_lengths(12, 0.1, Random(seed).random)
        assert sum(lengths) == 12 and len(lengths) <= 12
