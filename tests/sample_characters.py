"""Datasets of running text, by characters: built from files at hand, read back as text."""

import hashlib

from contexts import build_dataset

from zoo.data.splits import Split
from zoo.data.tokenizers.config import TokenizerConfig


def sha(data):
    """SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def build(name, root, **more):
    """A dataset by characters, from files in `root`."""
    return build_dataset(
        {"name": name, "root": str(root), "block_size": 8},
        split=Split(0.3, 0.3),
        tokenizer=TokenizerConfig("char", None),
        **more,
    )


def contents(dataset):
    """The text of each split."""
    return {s: dataset.encoding.tokenizer.decode(t.tokens) for s, t in dataset.splits.items()}
