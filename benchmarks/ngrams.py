"""An interpolated n-gram model of a token between its neighbours."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

EM_STEPS = 50
CHUNK = 512  # masked tokens scored at once
BUCKETS = (1, 2, 3, 5, 9, 17)  # weights of the mixture differ by how often both neighbours occurred


class MaskedTokens(NamedTuple):
    """Left and right neighbour (V: unknown), token shown in its place, true token; each (N,)."""

    left: np.ndarray
    right: np.ndarray
    shown: np.ndarray
    truth: np.ndarray


class Mixture:
    """P(token | neighbours) as a weighted sum of unigram, both bigrams and the trigram.

    Jelinek and Mercer, 1980: the weights are those that make held-out text likeliest.
    """

    def __init__(self, tokens: np.ndarray, vocab_size: int) -> None:
        self.size = vocab_size
        left, middle, right = (x.astype(np.int64) for x in (tokens[:-2], tokens[1:-1], tokens[2:]))
        pair = left * (vocab_size + 1) + right
        self.pairs, row = np.unique(pair, return_inverse=True)
        self.pair_counts = np.append(np.bincount(row), 0)
        nothing = np.zeros(len(tokens), np.int64)
        self.tables = [  # rows: contexts; columns: tokens
            self._table(nothing, tokens, 1),
            self._table(left, middle, vocab_size + 1),
            self._table(right, middle, vocab_size + 1),
            self._table(row, middle, len(self.pairs) + 1),
        ]
        self.weights = np.full((len(BUCKETS) + 1, 4), 0.25)

    def _table(self, context: np.ndarray, token: np.ndarray, contexts: int) -> Any:
        from scipy import sparse

        ones = np.ones(len(token))
        counts = sparse.csr_matrix((ones, (context, token)), (contexts, self.size))
        total = np.maximum(np.bincount(context, minlength=contexts), 1)
        return sparse.diags(1 / total) @ counts

    def _rows(self, masked: MaskedTokens) -> list[np.ndarray]:
        pair = masked.left * (self.size + 1) + masked.right
        row = np.searchsorted(self.pairs, pair).clip(max=len(self.pairs) - 1)
        row = np.where(self.pairs[row] == pair, row, len(self.pairs))
        return [np.zeros_like(row), masked.left, masked.right, row]

    def _buckets(self, masked: MaskedTokens) -> np.ndarray:
        return np.searchsorted(BUCKETS, self.pair_counts[self._rows(masked)[3]], side="right")

    def fit(self, masked: MaskedTokens) -> None:
        """The weights of each bucket by expectation maximisation."""
        rows, bucket = self._rows(masked), self._buckets(masked)
        columns = [np.asarray(t[r, masked.truth])[0] for t, r in zip(self.tables, rows)]
        likelihood = np.stack(columns, 1) + 1e-12  # (N, 4)
        for _ in range(EM_STEPS):
            posterior = self.weights[bucket] * likelihood
            posterior /= posterior.sum(1, keepdims=True)
            for k in range(len(self.weights)):
                if (bucket == k).any():
                    self.weights[k] = posterior[bucket == k].mean(0)

    def accuracy(self, masked: MaskedTokens, weights: Sequence[float] | None = None) -> float:
        """Fraction of tokens where the likeliest is the true one; by fitted weights or given."""
        rows, bucket, correct = self._rows(masked), self._buckets(masked), 0
        each = self.weights[bucket] if weights is None else np.tile(weights, (len(bucket), 1))
        for start in range(0, len(bucket), CHUNK):
            chunk = slice(start, start + CHUNK)
            score = sum(
                each[chunk, k, None] * table[row[chunk]].toarray()
                for k, (table, row) in enumerate(zip(self.tables, rows))
            )
            # Shown c: P(w) rises by P(shown c | w), 0.1 for w = c against 0.1 / V for others.
            score[np.arange(len(score)), masked.shown[chunk]] *= self.size
            correct += int((score.argmax(1) == masked.truth[chunk]).sum())
        return correct / len(bucket)
