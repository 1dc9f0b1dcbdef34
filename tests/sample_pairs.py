"""Pairs of texts for tests, and what a dataset holds of them."""

import torch
from contexts import context

from zoo.data.text.pairs import pair_dataset
from zoo.data.tokenizers.config import TokenizerConfig

CHAR, BYTE = (TokenizerConfig(kind, vocab_size=None) for kind in ("char", "byte"))
BPE = TokenizerConfig("bpe", vocab_size=300)
SENTENCES = ["Zwei Männer, draußen.", "two  men", "x", "A man's 3 dogs!", "我们 are", "dog"]


def texts(dataset, split):
    """The pairs of a split, decoded from what a batch holds."""
    source, every = dataset.splits[split], dataset.encoding
    index = torch.arange(len(source))
    batch = every.prepare(source.fetch(index, torch.zeros_like(index)))
    decode = every.tokenizer.decode
    sides = (batch[side].tolist() for side in ("source", "target"))
    return [(decode(a), decode(b)) for a, b in zip(*sides, strict=True)]


def tiny_pairs(number=40):
    return [(SENTENCES[k % 6] + f" {k}", f"{k} " + SENTENCES[(k + 1) % 6]) for k in range(number)]


def made(tokenizer=CHAR, **options):
    found = tiny_pairs()
    splits = {"train": found[:30], "val": found[30:35], "test": found[35:]}
    return pair_dataset("toy", splits, context(tokenizer=tokenizer), **options), splits
