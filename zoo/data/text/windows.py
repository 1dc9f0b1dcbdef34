"""From documents to a `Dataset` of token windows: what every running text has in common.

Text is tokenised once, document by document, into one array of ids per split, which is kept on the
disk and memory-mapped where it is large: a text larger than memory trains as well.
Shapes: B windows, T block size, L tokens of a split.
"""

import mmap
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.dataset import Dataset
from zoo.data.text.document import Document, Documents, digest, total_size
from zoo.data.text.encoding import TextEncoding, TextForm, encoding_for_text
from zoo.data.text.token_cache import TokenCache
from zoo.data.tokenizers.registry import Tokenizer
from zoo.errors import UserError

GOLDEN = 0.6180339887498949  # shifts of successive epochs spread evenly
_COPY = 2**24  # tokens copied to a device at once


class TokenSource:
    """Windows of block_size + 1 tokens that tile a split; each epoch tiles it a little shifted.

    Args:
        tokens: Unsigned (L,), in memory or mapped from a file; or what gives them when needed.
        block_size: T. A sample has T + 1 tokens: T to read, each one's next to predict.
    """

    def __init__(self, tokens: Any, block_size: int) -> None:
        self._given, self.block_size = tokens, block_size

    @cached_property
    def tokens(self) -> Any:
        """The ids, unsigned (L,)."""
        return self._given() if callable(self._given) else self._given

    @property
    def nbytes(self) -> int:
        """Bytes on a device."""
        return len(self.tokens) * (1 if self.tokens.itemsize == 1 else 4)

    def __len__(self) -> int:
        return max(0, (len(self.tokens) - 1) // self.block_size)

    def fetch(self, index: Tensor, epoch: Tensor) -> Batch:
        """Windows number `index` (int64 (B,)) of the tiling of `epoch`: `input` (B, T + 1).

        Epoch 0 tiles from the first token on.
        """
        shift = (epoch.double() * GOLDEN % 1 * self.block_size).long()
        last = len(self.tokens) - self.block_size - 1
        starts = (index * self.block_size + shift).clamp(max=last)  # (B,)
        positions = starts[:, None] + torch.arange(self.block_size + 1)  # (B, T + 1)
        if isinstance(self.tokens, Tensor):
            return {"input": self.tokens[positions.to(self.tokens.device)]}
        found = self.tokens[positions.numpy()].astype(np.int32)
        self._let_go()
        return {"input": torch.from_numpy(found)}

    def _let_go(self) -> None:
        """What was read of a mapping stays in the system's cache, but not in this process."""
        if isinstance(self.tokens, np.memmap) and hasattr(mmap, "MADV_DONTNEED"):
            self.tokens._mmap.madvise(mmap.MADV_DONTNEED)

    def to(self, device: torch.device) -> "TokenSource":
        """The same windows on another device."""
        kind = torch.uint8 if self.tokens.itemsize == 1 else torch.int32
        ids = torch.empty(len(self.tokens), dtype=kind, device=device)
        for start in range(0, len(ids), _COPY):
            part = np.asarray(self.tokens[start : start + _COPY])
            part = part.astype(np.uint8 if kind == torch.uint8 else np.int32)
            ids[start : start + _COPY] = torch.from_numpy(part).to(device)
            self._let_go()
        return TokenSource(ids, self.block_size)


def token_dataset(
    name: str,
    documents: Documents,
    form: TextForm,
    block_size: int,
    root: str,
    encoding: dict[str, Any] | None = None,
    everything: Sequence[Document] = (),
) -> Dataset:
    """A dataset of token windows.

    Args:
        name: Of the dataset, for messages and the cache.
        documents: Those of "train", "val" and "test".
        form: Which tokenizer.
        block_size: Tokens in a window, T.
        root: The cache is `<root>/tokens`.
        encoding: JSON of a run's encoding, to be used in place of fitting one. Splits are then
            tokenised when they are asked for, and may be short.
        everything: With `encoding`, the documents of the split "all".

    Raises:
        UserError: A split shorter than one window; a tokenizer other than the run's.
    """
    if block_size < 1:
        raise UserError(f"data.block_size={block_size}: expected 1 or more")
    fitted = encoding_for_text(encoding)
    if fitted is not None:
        _check_same(fitted.tokenizer, form)
    cache = TokenCache(root, name, digest(documents, name))
    if fitted is not None:
        splits = {**documents, "all": everything} if everything else documents
        sources = {
            split: TokenSource(
                partial(_whole_window, cache, fitted, split, found, name), fitted.length
            )
            for split, found in splits.items()
        }
        return Dataset(fitted.facts(), sources, fitted, cache.sha256)
    several = any(len(found) > 1 for found in documents.values())
    tokenizer = cache.tokenizer(form, documents, several)
    arrays = {split: cache.array(tokenizer, split, found) for split, found in documents.items()}
    _check_lengths(arrays, block_size, name)
    made = TextEncoding(tokenizer, block_size)
    return Dataset(
        facts=made.facts() | token_counts(tokenizer, arrays["train"]),
        splits={split: TokenSource(tokens, block_size) for split, tokens in arrays.items()},
        encoding=made,
        sha256=cache.sha256,
        notes=[_spell(documents, arrays, tokenizer), *cache.notes],
    )


def token_counts(tokenizer: Tokenizer, tokens: np.ndarray) -> dict[str, list[int]]:
    """How often each word occurs in the training split; only word tokenizers state it."""
    if tokenizer.kind != "word":
        return {}
    counts = np.zeros(tokenizer.vocab_size, np.int64)
    for start in range(0, len(tokens), _COPY):
        counts += np.bincount(tokens[start : start + _COPY], minlength=len(counts))
    return {"token_counts": counts.tolist()}


def _whole_window(
    cache: TokenCache, fitted: TextEncoding, split: str, documents: Sequence[Document], name: str
) -> np.ndarray:
    """Tokens to judge a run on: at least one window of them."""
    tokens = cache.array(fitted.tokenizer, split, documents)
    if len(tokens) < fitted.length + 1:
        raise UserError(
            f"{name}: split={split} has {len(tokens):,} tokens, expected at least the run's "
            f"data.block_size + 1 = {fitted.length + 1}; give more text"
        )
    return tokens


def _check_same(tokenizer: Tokenizer, form: TextForm) -> None:
    if form.tokenizer != tokenizer.kind:
        raise UserError(
            f"data.tokenizer={form.tokenizer}: the run was trained with its own "
            f"{tokenizer.kind} tokenizer of {tokenizer.vocab_size:,} tokens, and its weights mean "
            f"nothing to another; leave data.tokenizer away, or set it to {tokenizer.kind}"
        )


def _check_lengths(arrays: Mapping[str, np.ndarray], block_size: int, name: str) -> None:
    for split, tokens in arrays.items():
        if len(tokens) < block_size + 1:
            sizes = ", ".join(f"{one} {len(found):,}" for one, found in arrays.items())
            raise UserError(
                f"{name}: the {split} split has {len(tokens):,} tokens, expected at least "
                f"data.block_size + 1 = {block_size + 1} ({sizes}); lower data.block_size, "
                f"{'' if split == 'train' else f'raise data.{split}_fraction '}or give more text"
            )


def _spell(documents: Documents, arrays: Mapping[str, np.ndarray], tokenizer: Tokenizer) -> str:
    different = {tuple(map(id, found)): split for split, found in documents.items()}
    size = sum(total_size(documents[split]) for split in different.values())
    tokens = sum(len(arrays[split]) for split in different.values())
    files = len({one.name for found in documents.values() for one in found})
    return (
        f"{size / 1e6:.1f} MB of text in {files:,} document{'s' if files > 1 else ''}: "
        f"{tokens:,} tokens, {size / max(1, tokens):.2f} bytes each, of {tokenizer.vocab_size:,} "
        f"({tokenizer.kind})"
    )
