"""Whole documents dealt into train, val and test."""

from collections.abc import Sequence

import torch

from zoo.data.splits import Split
from zoo.data.text.document import Document


def deal(documents: Sequence[Document], split: Split) -> dict[str, list[Document]]:
    """Documents by split, in their own order within each; drawn by their number, not their size.

    Raises:
        UserError: A split is empty.
    """
    index = split.indices(torch.zeros(len(documents), dtype=torch.int64))
    return {name: [documents[i] for i in part.tolist()] for name, part in index.items()}
