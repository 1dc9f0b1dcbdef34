"""From sentences and the tags of their words to a `Dataset`: what all sequence labelling shares.

Ids are stored one after another, without padding; a batch is padded to its longest sentence.
Shapes: N sentences, B batch, T tokens.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.encoding import match_classes
from zoo.data.text.coverage import coverage_notes, repeated_note, text_samples
from zoo.data.text.ragged import Ragged, Row, id_dtype
from zoo.data.text.tagged_encoding import NO_WORD, SPECIALS, TaggedEncoding
from zoo.data.train_size import TrainSize
from zoo.errors import UserError
from zoo.phrases import plural

UNTAGGED = -100  # in `target`: padding, and what has no tag; torch's loss ignores it


class Sentence(NamedTuple):
    """Words and their tags; None for a word whose tag is not known."""

    words: tuple[str, ...]
    tags: tuple[str | None, ...]


Sentences = Mapping[str, Sequence[Sentence]]  # by split


class TaggedSource:
    """The sentences of one split.

    Args:
        tokens: Their ids.
        tags: Of the same lengths, a tag where a word begins, else `UNTAGGED`.
        pad_id: The id that pads the shorter sentences of a batch.
    """

    def __init__(self, tokens: Ragged, tags: Ragged, pad_id: int) -> None:
        self.tokens, self.tags, self.pad_id = tokens, tags, pad_id
        self.nbytes = tokens.nbytes + tags.nbytes

    def __len__(self) -> int:
        return len(self.tokens.lengths)

    @property
    def bucket_key(self) -> Tensor:
        """Tokens of each sentence, (N,)."""
        return self.tokens.lengths

    def fetch(self, index: Tensor, epoch: Tensor | None = None) -> Batch:
        """The sentences at `index` (B,): `input` and `target` (B, T), the same in each epoch."""
        tokens = self.tokens.rows(index, self.pad_id)
        return {"input": tokens, "target": self.tags.rows(index, UNTAGGED)}

    def trimmed(self, batch: Batch, index: Tensor) -> Batch:
        """A batch of the sentences at `index` without what is padding in all of them."""
        width = self.tokens.columns(index)
        return {name: column[:, :width] for name, column in batch.items()}

    def to(self, device: torch.device) -> "TaggedSource":
        """The same sentences on another device."""
        return TaggedSource(self.tokens.to(device), self.tags.to(device), self.pad_id)


def tagged_dataset(
    name: str, splits: Sentences, context: DataContext, block_size: int, cut: str = "spaces"
) -> Dataset:
    """A dataset of sentences, encoded once and held in memory.

    Args:
        name: Of the dataset, for messages.
        splits: "train", "val" and "test", whatever `data.train_size` is.
        context: The shared settings. The tokenizer is fitted on the training split (characters:
            on all).
        block_size: Maximum number of tokens; longer sentences are cut into several.
        cut: How a text to predict is cut into words: "spaces" or "code".

    Raises:
        UserError: No tags to tell apart, or the run's encoding does not fit these sentences.
    """
    if block_size < 1:
        raise UserError(f"data.block_size={block_size}: expected 1 or more")
    sha256, everything = _digest(splits), [one for part in splits.values() for one in part]
    splits = {**splits, "train": _part(splits["train"], context)}
    encoding = context.fitted(TaggedEncoding)
    if encoding is None:
        encoding = _fit(name, splits, context, block_size, cut)
    else:
        context.tokenizer.check_same(encoding.tokenizer)
        match_classes(_tags_of(splits), encoding.tag_names)
    if not context.is_new:
        splits = {**splits, "all": everything}
    splits = {**splits, "train": _noisy(splits["train"], encoding.tag_names, context)}
    samples = text_samples(splits, lambda sentence: [" ".join(sentence.words)])
    notes = coverage_notes(name, encoding.tokenizer, samples, predicted=False)
    sources = {split: _source(members, encoding) for split, members in splits.items()}
    words = {split: [one.words for one in members] for split, members in splits.items()}
    return Dataset(
        facts=encoding.facts() | {"tag_counts": _counts(splits["train"], encoding)},
        splits=sources,
        encoding=encoding,
        sha256=sha256,
        notes=[
            _summary(name, splits, sources, encoding),
            *notes,
            *repeated_note(words, "sentences"),
        ],
    )


def _part(train: Sequence[Sentence], context: DataContext) -> Sequence[Sentence]:
    """Of the training sentences those of `data.train_size`, a smaller part within a larger one."""
    if context.split.train_size is None:
        return train
    order = shuffled(len(train), context.split.split_seed)
    classes = torch.zeros(len(train), dtype=torch.int64)
    size = TrainSize.parse(context.split.train_size)
    chosen = size.choose(torch.arange(len(train)), order, classes, None, not context.is_new)
    return [train[k] for k in chosen.tolist()]


def _noisy(
    train: Sequence[Sentence], names: Sequence[str], context: DataContext
) -> Sequence[Sentence]:
    """The training sentences, a fraction `data.label_noise` of all known tags replaced."""
    if not context.label_noise:
        return train
    number = {tag: k for k, tag in enumerate(names)}
    known = torch.tensor([number[tag] for one in train for tag in one.tags if tag is not None])
    labels = iter(context.train_targets(known, torch.arange(len(known)), len(names)).tolist())
    return [
        one._replace(tags=tuple(None if tag is None else names[next(labels)] for tag in one.tags))
        for one in train
    ]


def shuffled(number: int, seed: int) -> Tensor:
    """The order in which training sentences are taken, or keep their tags; int64 (N,)."""
    return torch.randperm(number, generator=torch.Generator().manual_seed(seed))


def _fit(
    name: str, splits: Sentences, context: DataContext, block_size: int, cut: str
) -> TaggedEncoding:
    if len(tags := _tags_of({"train": splits["train"]})) < 2:
        found = f"only the tag '{tags[0]}'" if tags else "no tags"
        raise UserError(
            f"{name}: the training split has {found}; expected two or more to tell apart"
        )
    config = context.tokenizer
    members = splits.values() if config.tokenizer == "char" else [splits["train"]]
    texts = (" ".join(one.words) for sentences in members for one in sentences)
    tokenizer = config.train(texts, SPECIALS, leading_space=True, as_given=True)
    names = _tags_of(splits)  # a tag of the test split alone is measured too: as never right
    return TaggedEncoding(tokenizer, block_size, tuple(names), cut)


def _tags_of(splits: Sentences) -> list[str]:
    """All tags, sorted."""
    every = (tag for members in splits.values() for one in members for tag in one.tags)
    return sorted({tag for tag in every if tag is not None})


def _counts(sentences: Sequence[Sentence], encoding: TaggedEncoding) -> list[int]:
    counts = Counter(tag for one in sentences for tag in one.tags)
    return [counts[tag] for tag in encoding.tag_names]


def _source(sentences: Sequence[Sentence], encoding: TaggedEncoding) -> TaggedSource:
    number = {tag: k for k, tag in enumerate(encoding.tag_names)} | {None: UNTAGGED}
    ids: list[Row] = []
    tags: list[Row] = []
    for sentence in sentences:
        start, numbers = 0, np.array([number[tag] for tag in sentence.tags], np.int32)
        for piece in encoding.pieces(sentence.words):
            own = numbers[start : start + len(piece.words)]
            ids.append(piece.ids)
            tags.append(np.where(piece.begins == NO_WORD, UNTAGGED, own[piece.begins]))
            start += len(piece.words)
    tokens = Ragged.of(ids, id_dtype(encoding.tokenizer.vocab_size))
    return TaggedSource(tokens, Ragged.of(tags, torch.int16), encoding.pad_id)


def _digest(splits: Sentences) -> str:
    total = hashlib.sha256()
    for split, members in splits.items():
        total.update(f"{split} {len(members)}\n".encode())
        for sentence in members:
            total.update(json.dumps(sentence).encode())
    return total.hexdigest()


def _summary(
    name: str,
    splits: Sentences,
    sources: Mapping[str, TaggedSource],
    encoding: TaggedEncoding,
) -> str:
    """`tags: 7,000 sentences of 300,000 words, 6 tags, vocabulary 8,000 (word); ...`"""
    every = [one for split, members in splits.items() if split != "all" for one in members]
    words = sum(len(one.words) for one in every)
    untagged = sum(tag is None for one in every for tag in one.tags)
    rows = sum(len(source) for split, source in sources.items() if split != "all")
    summary = (
        f"{name}: {len(every):,} sentences of {words:,} words, {len(encoding.tag_names)} tags, "
        f"vocabulary {encoding.tokenizer.vocab_size:,} ({encoding.tokenizer.kind})"
    )
    if untagged:
        summary += f"; {plural(untagged, 'word')} without a tag"
    if rows > len(every):
        summary += (
            f"; sentences longer than data.block_size={encoding.length} tokens are cut into "
            f"several, which makes {rows:,}"
        )
    return summary
