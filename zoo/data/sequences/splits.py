"""How long the generated sequences of each split are."""

import numpy as np
import torch

from zoo.data.context import DataContext
from zoo.errors import UserError

LONGER = 200  # sequences of the split `longer`


def spread_lengths(
    context: DataContext, generator: np.random.Generator, shortest: int, longest: int, size: int
) -> dict[str, list[int]]:
    """Lengths of each split's sequences: all are equally frequent in train and val, the test has
    the longest, and `longer` those of twice that.

    Args:
        context: The shared settings.
        generator: Source of randomness.
        shortest, longest: Of the training.
        size: Sequences of train, val and test together.

    Raises:
        UserError: There are folds, and each split draws sequences of its own.
    """
    context.check_no_folds("sequences are drawn for each split, the longest of them for the test")
    index = context.indices(torch.zeros(size, dtype=torch.int64))
    lengths = {
        split: generator.integers(shortest, longest + 1, len(index[split])).tolist()
        for split in ("train", "val")
    }
    return lengths | {"test": [longest] * len(index["test"]), "longer": [2 * longest] * LONGER}


def check_size(**values: tuple[int, int, int]) -> None:
    """Check options of `data`, each with the least and the most.

    Raises:
        UserError: One is out of its range.
    """
    for name, (value, least, most) in values.items():
        if not least <= value <= most:
            raise UserError(f"data.{name}={value}: expected {least:,} to {most:,}")
