"""The counts that a masked language model has to beat, against a direct count."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from benchmarks.ngrams import MaskedTokens, Mixture

LETTERS, MASK_ID, SIZE = 6, 6, 7


def text(length, seed):
    """Each token follows from the two before it, but for one in five."""
    rng, tokens = np.random.default_rng(seed), [0, 1]
    for _ in range(length - 2):
        follows = (2 * tokens[-2] + tokens[-1] + 1) % LETTERS
        tokens.append(int(rng.integers(LETTERS)) if rng.random() < 0.2 else follows)
    return np.array(tokens)


def masked_in(tokens, shown=None):
    truth = tokens[1:-1]
    hidden = np.full(len(truth), MASK_ID) if shown is None else shown
    return MaskedTokens(tokens[:-2], tokens[2:], hidden, truth)


def test_counts_equal_a_direct_count():
    train, test = text(2000, 0), text(400, 1)
    mixture, masked = Mixture(train, SIZE), masked_in(test)
    mixture.fit(masked_in(text(400, 2)))
    left, both = defaultdict(Counter), defaultdict(Counter)
    for a, b, c in zip(train, train[1:], train[2:]):
        left[a][b] += 1
        both[a, c][b] += 1
    best = Counter(train.tolist()).most_common(1)[0][0]
    assert mixture.accuracy(masked, [1, 0, 0, 0]) == pytest.approx(np.mean(masked.truth == best))
    rows = list(zip(masked.left, masked.right, masked.truth))
    of_left = np.mean([left[a].most_common(1)[0][0] == b for a, _, b in rows])
    assert mixture.accuracy(masked, [0, 1, 0, 0]) == pytest.approx(of_left, abs=0.01)
    of_both = np.mean([both[a, c].most_common(1)[0][0] == b for a, c, b in rows])
    assert mixture.accuracy(masked, [0, 0, 0, 1]) == pytest.approx(of_both, abs=0.01)
    assert mixture.accuracy(masked) >= max(of_left, of_both) - 0.02


def test_weights_are_likeliest_where_they_were_fitted():
    mixture, masked = Mixture(text(500, 0), SIZE), masked_in(text(500, 1))

    def likelihood():
        each = mixture.weights[mixture._buckets(masked)]
        parts = [t[r, masked.truth] for t, r in zip(mixture.tables, mixture._rows(masked))]
        return np.log((each * np.stack([np.asarray(p)[0] for p in parts], 1)).sum(1)).sum()

    mixture.fit(masked)
    best, fitted = likelihood(), mixture.weights
    assert np.allclose(fitted.sum(1), 1)
    rng = np.random.default_rng(0)
    for _ in range(20):
        mixture.weights = np.abs(fitted + 0.05 * rng.standard_normal(fitted.shape))
        mixture.weights /= mixture.weights.sum(1, keepdims=True)
        assert likelihood() < best + 1e-3


def test_an_unmasked_token_is_predicted_unless_it_is_improbable():
    train = text(2000, 0)
    mixture, hidden = Mixture(train, SIZE), masked_in(text(400, 1))
    mixture.fit(hidden)
    kept = hidden._replace(shown=hidden.truth)
    assert mixture.accuracy(kept) > mixture.accuracy(hidden)
