"""From documents to a `Dataset` of token windows: the part that all running text shares.

Text is tokenised once, document by document, into one array of ids per split, which is kept on the
disk and memory-mapped where it is large: a text may be larger than memory.
Shapes: B windows, T block size, L tokens of a split.
"""

import mmap
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.text.coverage import coverage_notes, document_samples
from zoo.data.text.document import Document, Documents, digest, total_size
from zoo.data.text.encoding import TextEncoding
from zoo.data.text.next_sentence import SHORTEST, PairSource
from zoo.data.text.special_tokens import special_facts, special_names
from zoo.data.text.token_cache import TokenCache
from zoo.data.tokenizers.registry import Tokenizer
from zoo.errors import UserError
from zoo.phrases import plural

GOLDEN = 0.6180339887498949  # shifts of successive epochs spread evenly
_CHUNK = 2**24  # tokens that are copied to a device, or counted, at once


class TokenSource:
    """Windows of block_size + 1 tokens that tile a split; each epoch tiles it a little shifted.

    Args:
        tokens: Unsigned (L,), in memory or mapped from a file, or a tensor on a device; or a
            function that returns them when they are needed.
        block_size: T. A sample has T + 1 tokens: T to read, and the next one of each to predict.
    """

    def __init__(self, tokens: Any, block_size: int) -> None:
        self._tokens, self.block_size = tokens, block_size

    @cached_property
    def tokens(self) -> Any:
        """The ids, unsigned (L,)."""
        return self._tokens() if callable(self._tokens) else self._tokens

    @property
    def num_tokens(self) -> int:
        """Tokens of the split."""
        return len(self.tokens)

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
            return {"input": self.tokens[positions.to(self.tokens.device, non_blocking=True)]}
        ids = self.tokens[positions.numpy()].astype(np.int32)
        self._release_pages()
        return {"input": torch.from_numpy(ids)}

    def _release_pages(self) -> None:
        """Take the pages that were read from a mapped file out of this process's memory.

        They stay in the system's cache.
        """
        if isinstance(self.tokens, np.memmap) and hasattr(mmap, "MADV_DONTNEED"):
            self.tokens._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]

    def to(self, device: torch.device) -> "TokenSource":
        """The same windows on another device."""
        dtype = torch.uint8 if self.tokens.itemsize == 1 else torch.int32
        ids = torch.empty(len(self.tokens), dtype=dtype, device=device)
        for start in range(0, len(ids), _CHUNK):
            chunk = np.asarray(self.tokens[start : start + _CHUNK])
            chunk = chunk.astype(np.uint8 if dtype == torch.uint8 else np.int32)
            ids[start : start + _CHUNK] = torch.from_numpy(chunk).to(device)
            self._release_pages()
        return TokenSource(ids, self.block_size)


def token_dataset(
    name: str,
    documents: Documents,
    context: DataContext,
    block_size: int,
    all_documents: Sequence[Document] = (),
    next_sentence: bool = False,
    denoising: bool = False,
) -> Dataset:
    """A dataset of token windows.

    Args:
        name: Of the dataset, for messages and the cache.
        documents: Those of "train", "val" and "test".
        context: The shared settings. The cache is `<root>/tokens`. With a run's encoding, splits
            are tokenised when they are needed, and may be short.
        block_size: Tokens in a window, T.
        all_documents: With a run's encoding, the documents of the split "all".
        next_sentence: Whether samples are pairs of passages, of which the second may follow the
            first.
        denoising: Whether special tokens are reserved for a task that reconstructs windows.

    Raises:
        UserError: A split shorter than one window; a tokenizer other than the run's.
    """
    least = SHORTEST if next_sentence else 1
    if block_size < least:
        raise UserError(f"data.block_size={block_size}: expected {least} or more")
    fitted = context.fitted(TextEncoding)
    if fitted is not None:
        context.tokenizer.check_same(fitted.tokenizer)
    cache = TokenCache(context.root, name, digest(documents, name))
    if fitted is not None:
        splits = {**documents, "all": all_documents} if all_documents else documents
        tokens = {
            split: partial(_at_least_one_window, cache, fitted, split, members, name)
            for split, members in splits.items()
        }
        pairs = fitted.tokenizer if next_sentence else None
        sources = _sources(tokens, fitted.length, pairs, splits)
        return Dataset(fitted.facts(), sources, fitted, cache.sha256)
    several = any(len(members) > 1 for members in documents.values())
    specials = special_names(context.tokenizer.mask_token, next_sentence, denoising)
    tokenizer = cache.tokenizer(context.tokenizer, documents, several, specials)
    notes = coverage_notes(name, tokenizer, document_samples(documents))
    arrays = {split: cache.array(tokenizer, split, members) for split, members in documents.items()}
    _check_lengths(arrays, block_size, name)
    encoding = TextEncoding(tokenizer, block_size)
    more = special_facts(tokenizer, block_size, next_sentence, denoising)
    sources = _sources(arrays, block_size, tokenizer if next_sentence else None, documents)
    notes += [note for source in sources.values() for note in getattr(source, "notes", list)()]
    return Dataset(
        facts=encoding.facts() | token_counts(tokenizer, arrays["train"]) | more,
        splits=sources,
        encoding=encoding,
        sha256=cache.sha256,
        notes=[_summary(documents, arrays, tokenizer), *cache.notes, *notes],
    )


def _sources(
    tokens: Mapping[str, np.ndarray | Callable[[], np.ndarray]],
    block_size: int,
    pairs: Tokenizer | None,
    documents: Documents,
) -> dict[str, Any]:
    """Windows, or with the tokenizer of pairs these."""
    if pairs is None:
        return {split: TokenSource(ids, block_size) for split, ids in tokens.items()}
    return {
        split: PairSource(ids, block_size, pairs, split, [d.origin for d in documents[split]])
        for split, ids in tokens.items()
    }


def token_counts(tokenizer: Tokenizer, tokens: np.ndarray) -> dict[str, list[int]]:
    """How often each word occurs in the training split; only word tokenizers state it."""
    if tokenizer.kind != "word":
        return {}
    counts = np.zeros(tokenizer.vocab_size, np.int64)
    for start in range(0, len(tokens), _CHUNK):
        counts += np.bincount(tokens[start : start + _CHUNK], minlength=len(counts))
    return {"token_counts": counts.tolist()}


def _at_least_one_window(
    cache: TokenCache, encoding: TextEncoding, split: str, documents: Sequence[Document], name: str
) -> np.ndarray:
    """The tokens of a split on which a run is evaluated."""
    coverage_notes(name, encoding.tokenizer, document_samples({split: documents}))
    tokens = cache.array(encoding.tokenizer, split, documents)
    if len(tokens) < encoding.length + 1:
        raise UserError(
            f"{name}: split={split} has {len(tokens):,} tokens, expected at least the run's "
            f"data.block_size + 1 = {encoding.length + 1}; give more text"
        )
    return tokens


def _check_lengths(arrays: Mapping[str, np.ndarray], block_size: int, name: str) -> None:
    for split, tokens in arrays.items():
        if len(tokens) < block_size + 1:
            sizes = ", ".join(f"{other} {len(ids):,}" for other, ids in arrays.items())
            raise UserError(
                f"{name}: the {split} split has {len(tokens):,} tokens, expected at least "
                f"data.block_size + 1 = {block_size + 1} ({sizes}); lower data.block_size, "
                f"{'' if split == 'train' else f'raise data.{split}_fraction '}or give more text"
            )


def _summary(documents: Documents, arrays: Mapping[str, np.ndarray], tokenizer: Tokenizer) -> str:
    """`9.1 MB of text in 640 documents: 2,870,000 tokens, 3.17 bytes per token, vocabulary ...`"""
    distinct = {tuple(map(id, members)): split for split, members in documents.items()}
    size = sum(total_size(documents[split]) for split in distinct.values())
    tokens = sum(len(arrays[split]) for split in distinct.values())
    number = len({document.name for members in documents.values() for document in members})
    amount = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
    return (
        f"{amount} of text in {plural(number, 'document')}: "
        f"{tokens:,} tokens, {size / max(1, tokens):.2f} bytes per token, vocabulary "
        f"{tokenizer.vocab_size:,} ({tokenizer.kind})"
    )
