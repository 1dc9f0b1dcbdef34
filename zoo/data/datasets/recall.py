"""Associative recall: after some items, one of them is shown again: which came next? Generated.

Graves et al., 2014, https://arxiv.org/abs/1410.5401, section 4.3. Test sequences have as many items
as the longest of training; those of the split `longer` twice as many.
"""

import numpy as np

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.sequences.encoding import BitEncoding
from zoo.data.sequences.questions import Question, recall_question
from zoo.data.sequences.source import bit_dataset
from zoo.data.sequences.splits import check_size, spread_lengths
from zoo.errors import UserError
from zoo.registry import DATASETS

TRIES = 100


@DATASETS.register("recall", tiny={"size": 200, "most": 3, "bits": 4})
def recall(
    context: DataContext,
    bits: int = 6,
    item: int = 3,
    most: int = 6,
    distance: int = 0,
    size: int = 20_000,
) -> Dataset:
    """Sequences of 2 to `most` items.

    Args:
        context: The shared settings.
        bits: Of each vector.
        item: Vectors of an item.
        most: Items of the longest sequences in training.
        distance: Empty steps before the answer.
        size: How many sequences.
    """
    check_size(bits=(bits, 1, 64), item=(item, 1, 20), most=(most, 2, 50))
    check_size(distance=(distance, 0, 1000), size=(size, 100, 200_000))
    # Items of one sequence differ, so that a question has one answer.
    if 4 * most > (different := 2 ** (bits * item)):
        raise UserError(
            f"data.most={most}: there are {different} different items of {item} x {bits} bits, "
            f"expected {4 * most} or more; raise data.bits or data.item, or lower data.most"
        )
    generator = np.random.default_rng(context.split.split_seed)
    questions = {
        split: [_question(generator, count, item, bits, distance) for count in counts]
        for split, counts in spread_lengths(context, generator, 2, most, size).items()
    }
    return bit_dataset(BitEncoding("recall", bits, distance), questions, context)


def _question(
    generator: np.random.Generator, count: int, item: int, bits: int, distance: int
) -> Question:
    for _ in range(TRIES):
        items = generator.integers(0, 2, (count, item, bits), np.uint8)
        if len(np.unique(items.reshape(count, -1), axis=0)) == count:
            break
    else:  # random items would nearly always repeat: draw without replacement
        numbers = generator.choice(2 ** (bits * item), count, replace=False)
        items = (numbers[:, None] >> np.arange(bits * item) & 1).astype(np.uint8)
        items = items.reshape(count, item, bits)
    return recall_question(items, int(generator.integers(0, count - 1)), distance)
