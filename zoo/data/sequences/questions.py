"""Questions to a memory: what is shown, when it is asked for, and the answer.

Graves et al., 2014, https://arxiv.org/abs/1410.5401, sections 4.1 and 4.3; differs from the paper:
copies end with one delimiter, and have none before them.
Shapes: T steps, b bits, C input values (the bits and the flags), L vectors, K items of m vectors.
"""

from typing import NamedTuple

import numpy as np

Array = np.ndarray
FLAGS = {"copy": 1, "recall": 2}  # input values besides the bits


class Question(NamedTuple):
    """One sequence.

    Attributes:
        input: uint8 (T, C).
        target: uint8 (T, b), 0 where nothing is asked for.
        scored: Bool (T,), whether a step's bits are the answer's.
    """

    input: Array
    target: Array
    scored: Array


def copy_question(vectors: Array, distance: int) -> Question:
    """Repeat the vectors: (L, b), a flag, `distance` empty steps, and L steps for the answer."""
    length, bits = vectors.shape
    shown = np.zeros((length + 1, bits + FLAGS["copy"]), np.uint8)
    shown[:length, :bits] = vectors
    shown[length, bits] = 1
    return _asked(shown, vectors, distance)


def recall_question(items: Array, query: int, distance: int) -> Question:
    """Which item came after this one?

    Each item follows a flag; then one of them, but the last, stands between two flags of another
    kind.

    Args:
        items: (K, m, b).
        query: Number of the item that is asked about.
        distance: Empty steps before the answer.
    """
    count, size, bits = items.shape
    shown = np.zeros((count * (size + 1) + size + 2, bits + FLAGS["recall"]), np.uint8)
    for k, item in enumerate(items):
        start = k * (size + 1)
        shown[start, bits] = 1
        shown[start + 1 : start + 1 + size, :bits] = item
    shown[-size - 2, bits + 1] = shown[-1, bits + 1] = 1
    shown[-size - 1 : -1, :bits] = items[query]
    return _asked(shown, items[query + 1], distance)


def _asked(shown: Array, answer: Array, distance: int) -> Question:
    """What is shown, then empty steps: `distance` to wait, and those of the answer."""
    steps = len(shown) + distance + len(answer)
    input = np.zeros((steps, shown.shape[1]), np.uint8)
    input[: len(shown)] = shown
    target = np.zeros((steps, answer.shape[1]), np.uint8)
    target[-len(answer) :] = answer
    return Question(input, target, np.arange(steps) >= steps - len(answer))
