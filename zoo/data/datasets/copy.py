"""Copy: repeat a sequence of random bits that was shown before. Generated.

Graves et al., 2014, https://arxiv.org/abs/1410.5401, section 4.1. Test sequences are as long as the
longest of training; those of the split `longer` are twice as long.
"""

import numpy as np

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.sequences.encoding import BitEncoding
from zoo.data.sequences.questions import copy_question
from zoo.data.sequences.source import bit_dataset
from zoo.data.sequences.splits import check_size, spread_lengths
from zoo.registry import DATASETS


@DATASETS.register("copy", tiny={"size": 200, "longest": 4, "bits": 3})
def copy(
    context: DataContext, bits: int = 8, longest: int = 20, distance: int = 0, size: int = 20_000
) -> Dataset:
    """Sequences of 1 to `longest` vectors.

    Args:
        context: The shared settings.
        bits: Of each vector.
        longest: Vectors of the longest sequences in training.
        distance: Empty steps between a sequence and its answer.
        size: How many sequences.
    """
    check_size(bits=(bits, 1, 64), longest=(longest, 1, 200), distance=(distance, 0, 1000))
    check_size(size=(size, 100, 200_000))
    generator = np.random.default_rng(context.split.split_seed)
    questions = {
        split: [
            copy_question(generator.integers(0, 2, (length, bits), np.uint8), distance)
            for length in lengths
        ]
        for split, lengths in spread_lengths(context, generator, 1, longest, size).items()
    }
    return bit_dataset(BitEncoding("copy", bits, distance), questions, context)
