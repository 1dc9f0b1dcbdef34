"""Documents for tests, and the windows of their tokens."""

import torch
from contexts import context

from zoo.data.text.document import Document
from zoo.data.text.windows import token_dataset
from zoo.data.tokenizers.config import TokenizerConfig

BYTES = TokenizerConfig("byte", None)


def documents(train=("abcdefgh" * 40,), val=("ijkl" * 30,), test=("mnop" * 30,)):
    splits = {"train": train, "val": val, "test": test}
    return {s: [Document.of(f"{s}{i}", t) for i, t in enumerate(ts)] for s, ts in splits.items()}


def build(root, tokenizer=BYTES, block_size=8, found=None, encoding=None, **more):
    shared = context(tokenizer=tokenizer, root=str(root), encoding=encoding)
    return token_dataset("some", found or documents(), shared, block_size, **more)


def windows(source, epoch=0):
    index = torch.arange(len(source))
    return source.fetch(index, torch.full_like(index, epoch))["input"]
