"""The n-gram model: equal to the paper's formula written out, and a distribution."""

import math
from collections import Counter

import numpy as np
import pytest

from benchmarks.kneser_ney import NGrams

SIZE = 5


def text(length, seed):
    rng = np.random.default_rng(seed)
    return np.minimum(rng.geometric(0.4, length) - 1, SIZE - 1)


def bigram_by_hand(tokens):
    """Interpolated Kneser-Ney of order 2, word for word after Chen and Goodman."""
    pairs = Counter(zip(tokens, tokens[1:]))

    def discount(counts):
        once = sum(n == 1 for n in counts)
        return once / (once + 2 * sum(n == 2 for n in counts)) if once else 0.5

    first = Counter(tokens[:1])  # nothing but the beginning of the text is before it
    before = {w: len({a for a, b in pairs if b == w}) + first[w] for w in range(SIZE)}
    before = {w: n for w, n in before.items() if n}
    low, high = discount(before.values()), discount([*pairs.values(), 1])

    def probability(context, word):
        unigram = max(before.get(word, 0) - low, 0) + low * len(before) / SIZE
        unigram /= sum(before.values())
        total = sum(n for (a, _), n in pairs.items() if a == context)
        followers = sum(a == context for a, _ in pairs)
        seen = max(pairs[context, word] - high, 0) / total
        return seen + high * followers / total * unigram

    return probability


def test_equals_the_formula():
    train, test = text(120, 0).tolist(), text(50, 1).tolist()
    expected = bigram_by_hand(train)
    got = NGrams(np.array(train), SIZE, 2).log_probabilities(np.array(test))[1:]
    assert got == pytest.approx([math.log(expected(a, b)) for a, b in zip(test, test[1:])])


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_is_a_distribution_after_any_context(order):
    model = NGrams(text(300, 0), SIZE, order)
    for context in ([], [0], [4, 4], [4, 3, 4, 2, 4]):  # the last one was never seen
        total = sum(
            math.exp(model.log_probabilities(np.array([*context, w]))[-1]) for w in range(SIZE)
        )
        assert total == pytest.approx(1)


def test_a_longer_context_helps_where_it_decides():
    cycle = np.array([0, 1, 0, 2] * 50)
    after_zero = [NGrams(cycle, SIZE, n).log_probabilities(cycle)[100:].mean() for n in (1, 2, 3)]
    assert after_zero[0] < after_zero[1] < after_zero[2] and after_zero[2] > -0.05
