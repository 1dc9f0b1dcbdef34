"""From texts and their classes to a `Dataset`: what all text classification has in common.

Ids lie one after another, without padding; a batch is padded to its own longest. The source says
how long its texts are (`bucket_key`), and the loader puts those of similar length into a batch.
Shapes: N texts, B batch, T tokens.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.dataset import Dataset
from zoo.data.encoding import match_classes
from zoo.data.splits import Indices
from zoo.data.text.encoding import TextForm
from zoo.data.text.labelled_encoding import (
    SPECIALS,
    LabelledTextEncoding,
    encoding_for_labelled_text,
)
from zoo.data.text.pairs import Ragged
from zoo.data.tokenizers.registry import Tokenizer
from zoo.errors import UserError


class LabelledTextSource:
    """The texts of one split and their classes.

    Args:
        texts: Their ids.
        target: Class numbers, int64 (N,).
        pad_id: What fills up the shorter texts of a batch.
    """

    def __init__(self, texts: Ragged, target: Tensor, pad_id: int) -> None:
        self.texts, self.target, self.pad_id = texts, target, pad_id
        self.nbytes = sum(t.nbytes for t in (texts.flat, texts.starts, target))

    def __len__(self) -> int:
        return len(self.target)

    @property
    def bucket_key(self) -> Tensor:
        """Tokens of each text, (N,)."""
        return self.texts.lengths.cpu()

    def fetch(self, index: Tensor, epoch: Tensor | None = None) -> Batch:
        """The texts at `index` (B,): `input` (B, T), `target` (B,), alike in each epoch."""
        target = self.target[index.to(self.target.device)]
        return {"input": self.texts.rows(index, self.pad_id), "target": target}

    def to(self, device: torch.device) -> "LabelledTextSource":
        """The same texts on another device."""
        return LabelledTextSource(self.texts.to(device), self.target.to(device), self.pad_id)


def labelled_text_dataset(
    name: str,
    texts: Sequence[str],
    labels: Tensor,
    class_names: Sequence[str],
    index: Indices,
    form: TextForm,
    block_size: int,
    encoding: dict[str, Any] | None = None,
    columns: tuple[str | None, str | None, str | None] = (None, None, None),
) -> Dataset:
    """A dataset of texts, encoded once and held in memory.

    Args:
        name: Of the dataset, for messages.
        texts: N of them.
        labels: Int64 (N,), numbers of `class_names`.
        class_names: Name of each class.
        index: Which texts belong to "train", "val" and "test".
        form: Which tokenizer; it is fitted on the training split (characters: on all texts).
        block_size: The most tokens of a text; what follows them is cut off.
        encoding: JSON of a run's encoding, to be used in place of fitting one; adds a split "all".
        columns: Of the CSV file: text, class, and what parts them.

    Raises:
        UserError: No tokens at all, or the run's encoding does not fit these texts.
    """
    if block_size < 1:
        raise UserError(f"data.block_size={block_size}: expected 1 or more")
    fitted = encoding_for_labelled_text(encoding)
    if fitted is None:
        tokenizer = _tokenizer(form, texts, index["train"])
        fitted = LabelledTextEncoding(tokenizer, block_size, tuple(class_names), *columns)
    else:
        _check_same(form, fitted.tokenizer)
        labels = torch.tensor(match_classes(class_names, fitted.class_names))[labels]
        index = {**index, "all": torch.arange(len(texts))}
    whole = [fitted.encode(text) for text in texts]
    rows = [fitted.tokenizer.wrap(ids, fitted.length) for ids in whole]
    return Dataset(
        facts=fitted.facts() | _counts(labels[index["train"]], len(fitted.class_names)),
        splits={split: _source(rows, labels, part, fitted) for split, part in index.items()},
        encoding=fitted,
        sha256=_digest(texts, labels),
        notes=[_spell(name, texts, whole, fitted), *_repeated(texts, index)],
    )


def _source(
    rows: Sequence[np.ndarray], labels: Tensor, index: Tensor, fitted: LabelledTextEncoding
) -> LabelledTextSource:
    dtype = torch.int16 if fitted.tokenizer.vocab_size < 2**15 else torch.int32
    texts = Ragged.of([rows[i] for i in index.tolist()], dtype)
    return LabelledTextSource(texts, labels[index], fitted.pad_id)


def _tokenizer(form: TextForm, texts: Sequence[str], train: Tensor) -> Tokenizer:
    seen = range(len(texts)) if form.tokenizer == "char" else train.tolist()
    return form.train((texts[i] for i in seen), SPECIALS)


def _check_same(form: TextForm, tokenizer: Tokenizer) -> None:
    if form.tokenizer != tokenizer.kind:
        raise UserError(
            f"data.tokenizer={form.tokenizer}: the run was trained with its own {tokenizer.kind} "
            f"tokenizer, and its weights mean nothing to another; set "
            f"data.tokenizer={tokenizer.kind}"
        )


def _counts(labels: Tensor, number: int) -> dict[str, list[int]]:
    return {"class_counts": torch.bincount(labels, minlength=number).tolist()}


def _digest(texts: Sequence[str], labels: Tensor) -> str:
    total = hashlib.sha256()
    for text, label in zip(texts, labels.tolist(), strict=True):
        one = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        total.update(one + f"{label}\n".encode())
    return total.hexdigest()


def _spell(
    name: str, texts: Sequence[str], rows: Sequence[np.ndarray], fitted: LabelledTextEncoding
) -> str:
    """`pydoc_topics: 8,000 texts of 10 classes, 60 tokens each, of 4,096 (bpe); ...`"""
    lengths = [len(ids) for ids in rows]
    cut = sum(length > fitted.length for length in lengths)
    tokenizer = fitted.tokenizer
    spelled = (
        f"{name}: {len(texts):,} texts of {len(fitted.class_names)} classes, "
        f"{sum(lengths) / len(lengths):.0f} tokens each, of {tokenizer.vocab_size:,} "
        f"({tokenizer.kind})"
    )
    if cut:
        spelled += (
            f"; {cut:,} are longer than data.block_size={fitted.length} tokens (up to "
            f"{max(lengths):,}): their ends are cut off"
        )
    return spelled


def _repeated(texts: Sequence[str], index: Indices) -> list[str]:
    """A note, where texts to judge on are among those trained on."""
    if "all" in index:
        return []
    known = {texts[i] for i in index["train"].tolist()}
    seen = sum(texts[i] in known for split in ("val", "test") for i in index[split].tolist())
    if not seen:
        return []
    return [f"{seen:,} texts of the val and test splits are in the train split, word for word"]
