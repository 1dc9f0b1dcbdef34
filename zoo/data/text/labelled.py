"""From texts and their classes to a `Dataset`: the part that all text classification shares.

Ids are stored one after another, without padding; a batch is padded to its longest text. The source
states the length of each text (`bucket_key`), and the loader groups texts of similar length into
batches.
Shapes: N texts, B batch, T tokens.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.encoding import match_classes
from zoo.data.labels import label_facts
from zoo.data.splits import Indices
from zoo.data.text.coverage import coverage_notes, repeated_note, text_samples
from zoo.data.text.labelled_encoding import SPECIALS, LabelledTextEncoding
from zoo.data.text.ragged import Ragged, Row, id_dtype
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.data.tokenizers.registry import Tokenizer
from zoo.errors import UserError

CsvColumns = tuple[str | None, str | None, str | None]  # text, class, delimiter


class LabelledTextSource:
    """The texts of one split and their classes.

    Args:
        texts: Their ids.
        target: Class numbers, int64 (N,), or labels as 0 and 1, float32 (N, K).
        pad_id: The id that pads the shorter texts of a batch.
    """

    def __init__(self, texts: Ragged, target: Tensor, pad_id: int) -> None:
        self.texts, self.target, self.pad_id = texts, target, pad_id
        self.nbytes = texts.nbytes + target.nbytes

    def __len__(self) -> int:
        return len(self.target)

    @property
    def bucket_key(self) -> Tensor:
        """Tokens of each text, (N,)."""
        return self.texts.lengths

    def fetch(self, index: Tensor, epoch: Tensor | None = None) -> Batch:
        """The texts at `index` (B,): `input` (B, T), `target` (B,), the same in each epoch."""
        target = self.target[index.to(self.target.device, non_blocking=True)]
        return {"input": self.texts.rows(index, self.pad_id), "target": target}

    def trimmed(self, batch: Batch, index: Tensor) -> Batch:
        """A batch of the texts at `index` without what is padding in all of them."""
        return batch | {"input": batch["input"][:, : self.texts.columns(index)]}

    def to(self, device: torch.device) -> "LabelledTextSource":
        """The same texts on another device."""
        return LabelledTextSource(self.texts.to(device), self.target.to(device), self.pad_id)


def labelled_text_dataset(
    name: str,
    texts: Sequence[str],
    labels: Tensor,
    class_names: Sequence[str],
    index: Indices,
    context: DataContext,
    block_size: int,
    columns: CsvColumns = (None, None, None),
    separator: str | None = None,
) -> Dataset:
    """A dataset of texts, encoded once and held in memory.

    Args:
        name: Of the dataset, for messages.
        texts: N of them.
        labels: Int64 (N,), numbers of `class_names`; or float32 (N, K), 0 and 1: which of K labels
            each text has.
        class_names: Name of each class.
        index: Which texts belong to "train", "val" and "test".
        context: The shared settings. The tokenizer is fitted on the training split (characters:
            on all texts).
        block_size: Maximum number of tokens of a text; the rest is cut off.
        columns: Of the CSV file, if the texts are from one.
        separator: Between labels, where a text may have several.

    Raises:
        UserError: No tokens at all, or the run's encoding does not fit these texts.
    """
    if block_size < 1:
        raise UserError(f"data.block_size={block_size}: expected 1 or more")
    encoding = context.fitted(LabelledTextEncoding)
    if encoding is None:
        tokenizer = _fit_tokenizer(context.tokenizer, texts, index["train"])
        names = tuple(class_names)
        encoding = LabelledTextEncoding(tokenizer, block_size, names, *columns, separator)
    else:
        context.tokenizer.check_same(encoding.tokenizer)
    if encoding.separator is None:
        labels = torch.tensor(match_classes(class_names, encoding.class_names))[labels]
    if not context.is_new:
        index = {**index, "all": torch.arange(len(texts))}
    number = len(encoding.class_names) if encoding.separator is None else None
    targets = {split: labels[i] for split, i in index.items()}
    targets["train"] = context.train_targets(labels, index["train"], number)
    members = {split: [texts[i] for i in numbers.tolist()] for split, numbers in index.items()}
    samples = text_samples(members, lambda text: [text])
    notes = coverage_notes(name, encoding.tokenizer, samples, predicted=False)
    ids = [encoding.encode(text) for text in texts]
    rows = [encoding.tokenizer.wrap(row, encoding.length) for row in ids]
    return Dataset(
        facts=encoding.facts() | _counts(targets["train"], encoding),
        splits={split: _source(rows, targets[split], i, encoding) for split, i in index.items()},
        encoding=encoding,
        sha256=_digest(texts, labels),
        notes=[_summary(name, ids, encoding), *notes, *repeated_note(members, "texts")],
    )


def _counts(train: Tensor, encoding: LabelledTextEncoding) -> dict[str, Any]:
    """Facts on how many training texts have each class, or label."""
    if encoding.separator is not None:
        return label_facts(encoding.class_names, train)
    return {"class_counts": torch.bincount(train, minlength=len(encoding.class_names)).tolist()}


def _source(
    rows: Sequence[Row], target: Tensor, index: Tensor, encoding: LabelledTextEncoding
) -> LabelledTextSource:
    dtype = id_dtype(encoding.tokenizer.vocab_size)
    texts = Ragged.of([rows[i] for i in index.tolist()], dtype)
    return LabelledTextSource(texts, target, encoding.pad_id)


def _fit_tokenizer(config: TokenizerConfig, texts: Sequence[str], train: Tensor) -> Tokenizer:
    numbers = range(len(texts)) if config.tokenizer == "char" else train.tolist()
    return config.train((texts[i] for i in numbers), SPECIALS)


def _digest(texts: Sequence[str], labels: Tensor) -> str:
    total = hashlib.sha256()
    for text, label in zip(texts, labels.tolist(), strict=True):
        text_digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        total.update(text_digest + f"{label}\n".encode())
    return total.hexdigest()


def _summary(name: str, ids: Sequence[Row], encoding: LabelledTextEncoding) -> str:
    """`pydoc_topics: 8,000 texts of 10 classes, 60 tokens per text, vocabulary 4,096 (bpe); ...`"""
    lengths = [len(row) for row in ids]
    truncated, tokenizer = encoding.truncated(ids), encoding.tokenizer
    what = "classes" if encoding.separator is None else "labels"
    summary = (
        f"{name}: {len(ids):,} texts of {len(encoding.class_names)} {what}, "
        f"{sum(lengths) / len(lengths):.0f} tokens per text, vocabulary "
        f"{tokenizer.vocab_size:,} ({tokenizer.kind})"
    )
    if truncated:
        summary += (
            f"; {truncated:,} are longer than data.block_size={encoding.length} tokens (up to "
            f"{max(lengths):,}) and are truncated"
        )
    return summary
