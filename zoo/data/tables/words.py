"""A column of free text as numbers: TF-IDF of the most frequent words of the training rows.

Spärck Jones, 1972, https://doi.org/10.1108/eb026526, smoothed as in scikit-learn: a word that n of
N rows have weighs log((1 + N) / (1 + n)) + 1 for each time that it occurs; each row is then scaled
to length 1. Texts without a known word are zero.
Shapes: N rows, V words.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

MAX_WORDS = 500  # features of a column, at most: 2 kB for each row of the table
MIN_ROWS = 2  # that have a word
WORDS_EACH = 4  # words of a text, on average, from which it is no name or address
_ALONE = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"  # written without spaces: each is a word
PATTERN = rf"[{_ALONE}]|[^\W_{_ALONE}]+"
_WORD = re.compile(PATTERN)
SPACED = re.compile(rf"\s|[{_ALONE}]")


def words_of(text: str | None) -> list[str]:
    """Lower-cased runs of letters and digits; Chinese and Japanese characters one by one."""
    return _WORD.findall((text or "").lower())


def is_free_text(texts: Sequence[str]) -> bool:
    """Whether texts are sentences: several words each, most of which are in other texts too."""
    pieces = [words_of(text) if SPACED.search(text) else [] for text in texts]
    total = sum(map(len, pieces))
    if total < WORDS_EACH * len(texts):
        return False
    rows = Counter(word for piece in pieces for word in set(piece))
    return 2 * sum(rows[word] >= MIN_ROWS for piece in pieces for word in piece) >= total


def fit_words(texts: Sequence[str | None], most: int) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The words that most rows have, in alphabetical order, and their weights (IDF).

    Args:
        texts: Of the training rows.
        most: Words at most.
    """
    rows = Counter(word for text in texts for word in set(words_of(text)))
    known = [(-count, word) for word, count in rows.items() if count >= MIN_ROWS]
    words = sorted(word for _, word in sorted(known)[:most])
    total = len(texts)
    weights = (math.log((1 + total) / (1 + rows[word])) + 1 for word in words)
    return tuple(words), tuple(weights)


def tfidf(texts: Sequence[str | None], words: Sequence[str], weights: Sequence[float]) -> Tensor:
    """Float32 (N, V), rows of length 1 or 0."""
    number = {word: k for k, word in enumerate(words)}
    encoded = torch.zeros(len(texts), len(words))
    for row, text in enumerate(texts):
        counts = Counter(number[word] for word in words_of(text) if word in number)
        values = {k: count * weights[k] for k, count in counts.items()}
        length = math.sqrt(sum(value**2 for value in values.values()))
        if values:
            places = torch.tensor(list(values))
            encoded[row, places] = torch.tensor([value / length for value in values.values()])
    return encoded
