"""An n-gram model of the next token, smoothed as Kneser and Ney did.

Chen and Goodman, 1998, An Empirical Study of Smoothing Techniques for Language Modeling: the
interpolated form, with one discount for each order.
Shapes: L tokens of a text.
"""

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
UNSEEN = -1


class NGrams:
    """P(token | the `order - 1` tokens before it), from counts.

    Args:
        tokens: (L,) the text to count.
        vocab_size: V.
        order: Length of the longest n-gram.
    """

    def __init__(self, tokens: Ids, vocab_size: int, order: int) -> None:
        self.size = vocab_size
        tokens = np.asarray(tokens, dtype=np.int64)
        self.keys: list[Ids] = []  # by order: sorted, (number of the context) * V + last token
        self.counts: list[Ids] = []
        context = np.zeros(len(tokens), np.int64)  # of no token: there is one
        occurrences = []
        for _ in range(order):
            key = context * vocab_size + tokens
            unique, first, number, count = np.unique(
                key, return_index=True, return_inverse=True, return_counts=True
            )
            begin = len(unique)  # the context of the first token, as no other
            context = np.concatenate([[begin], number[:-1]])
            self.keys.append(unique)
            self.counts.append(count)
            occurrences.append((first, number))
        # Of a shorter n-gram not its occurrences are counted but the different tokens before it.
        for k in range(order - 1):
            suffixes = occurrences[k][1][occurrences[k + 1][0]]
            self.counts[k] = np.bincount(suffixes, minlength=len(self.keys[k]))
        self.discounts = [_discount(count) for count in self.counts]
        contexts = [key // vocab_size for key in self.keys]
        self.totals = [np.bincount(c, weights=n) for c, n in zip(contexts, self.counts)]
        self.followers = [np.bincount(c, weights=n > 0) for c, n in zip(contexts, self.counts)]

    def log_probabilities(self, tokens: Ids) -> NDArray[np.float64]:
        """(L,) natural logarithms of the probability of each token of a text after those before
        it; the first ones have fewer before them than the order allows."""
        tokens = np.asarray(tokens, dtype=np.int64)
        probability = np.full(len(tokens), 1 / self.size)
        context = np.zeros(len(tokens), np.int64)
        for keys, counts, discount, totals, followers in zip(
            self.keys, self.counts, self.discounts, self.totals, self.followers
        ):
            known = (context != UNSEEN) & (context < len(totals))
            row = np.where(known, context, 0)
            total = np.where(known, totals[row], 0)
            known &= total > 0
            total = np.maximum(total, 1)
            gram = np.searchsorted(keys, row * self.size + tokens).clip(max=len(keys) - 1)
            seen = known & (keys[gram] == row * self.size + tokens)
            count = np.where(seen, counts[gram], 0)
            kept = discount * followers[row] / total
            smoothed = np.maximum(count - discount, 0) / total + kept * probability
            probability = np.where(known, smoothed, probability)
            context = np.concatenate([[UNSEEN], np.where(seen, gram, UNSEEN)[:-1]])
        return np.log(probability)


def _discount(counts: Ids) -> float:
    """n1 / (n1 + 2 n2), where n1 n-grams occur once and n2 twice."""
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return once / (once + 2 * twice) if once else 0.5
