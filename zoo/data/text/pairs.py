"""From pairs of texts to a `Dataset`: what translations and other pairs have in common.

Ids lie one after another, without padding; a batch is padded to its own longest. The source says
how long its samples are (`bucket_key`), and the loader puts those of similar length into a batch.
Shapes: N pairs, B batch, S and T tokens of source and target.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.dataset import Dataset
from zoo.data.splits import Split
from zoo.data.text.encoding import TextForm
from zoo.data.text.pair_encoding import SPECIALS, PairEncoding, encoding_for_pairs
from zoo.data.tokenizers.registry import Tokenizer
from zoo.errors import UserError

Pair = tuple[str, str]
Pairs = Mapping[str, Sequence[Pair]]  # by split
Row = np.ndarray  # int32 (T,)
NO_LIMIT = 2**31


class Ragged:
    """Rows of unequal length, kept without padding.

    Args:
        flat: All ids, one row after another.
        starts: Where each row begins in `flat`, and its length: int64 (2, N).
    """

    def __init__(self, flat: Tensor, starts: Tensor) -> None:
        self.flat, self.starts = flat, starts

    @classmethod
    def of(cls, rows: Sequence[Row], dtype: torch.dtype) -> "Ragged":
        """From one array a row."""
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        flat = torch.from_numpy(np.concatenate([*rows, np.zeros(0, np.int32)])).to(dtype)
        return cls(flat, torch.stack([lengths.cumsum(0) - lengths, lengths]))

    @property
    def lengths(self) -> Tensor:
        """Tokens of each row, int64 (N,)."""
        return self.starts[1]

    def rows(self, index: Tensor, pad_id: int = 0) -> Tensor:
        """The rows at `index` (B,), padded to the longest of them: (B, T)."""
        starts, lengths = self.starts[:, index.to(self.flat.device)]
        place = torch.arange(int(lengths.max()), device=self.flat.device)
        inside = place < lengths[:, None]  # (B, T)
        found = self.flat[torch.where(inside, starts[:, None] + place, 0)]
        return torch.where(inside, found, pad_id)

    def to(self, device: torch.device) -> "Ragged":
        """The same rows on another device."""
        return Ragged(self.flat.to(device), self.starts.to(device))


class PairSource:
    """The pairs of one split.

    Args:
        source, target: Their two sides.
    """

    def __init__(self, source: Ragged, target: Ragged) -> None:
        self.source, self.target = source, target
        self.nbytes = sum(t.nbytes for one in (source, target) for t in (one.flat, one.starts))

    @classmethod
    def of(cls, rows: Sequence[tuple[Row, Row]], dtype: torch.dtype) -> "PairSource":
        """From two arrays a pair."""
        return cls(Ragged.of([a for a, _ in rows], dtype), Ragged.of([b for _, b in rows], dtype))

    def __len__(self) -> int:
        return len(self.source.lengths)

    @property
    def bucket_key(self) -> Tensor:
        """Sorted by this number (N,), pairs of like lengths of target, then source, are close."""
        longest = int(self.source.lengths.max()) + 1
        return (self.target.lengths * longest + self.source.lengths).cpu()

    def fetch(self, index: Tensor, epoch: Tensor) -> Batch:
        """The pairs at `index` (B,): `source` (B, S), `target` (B, T), alike in each epoch."""
        return {"source": self.source.rows(index), "target": self.target.rows(index)}

    def to(self, device: torch.device) -> "PairSource":
        """The same pairs on another device."""
        return PairSource(self.source.to(device), self.target.to(device))


def pair_dataset(
    name: str,
    pairs: Pairs,
    form: TextForm,
    max_length: int | None = None,
    encoding: dict[str, Any] | None = None,
) -> Dataset:
    """A dataset of pairs of texts, encoded once and held in memory.

    Args:
        name: Of the dataset, for messages.
        pairs: Source and target of "train", "val", "test", and of further splits to judge on.
        form: Which tokenizer; it is fitted on both sides of the training split (characters: of all
            splits).
        max_length: The most tokens of either side, with the two around it; longer pairs are left
            out. None for the longest of all.
        encoding: JSON of a run's encoding, to be used in place of fitting one; adds a split "all".

    Raises:
        UserError: A tokenizer that cannot give the text back, or other than the run's; no pair
            short enough.
    """
    fitted = encoding_for_pairs(encoding)
    if fitted is None:
        fitted = PairEncoding(_tokenizer(form, pairs), max_length or NO_LIMIT)
    elif form.tokenizer != fitted.tokenizer.kind:
        kind = fitted.tokenizer.kind
        raise UserError(
            f"data.tokenizer={form.tokenizer}: the run was trained with its own {kind} tokenizer, "
            f"and its weights mean nothing to another; set data.tokenizer={kind}"
        )
    rows = {
        split: [(fitted.encode(a), fitted.encode(b)) for a, b in found]
        for split, found in pairs.items()
    }
    if encoding is not None:
        rows["all"] = [pair for split in ("train", "val", "test") for pair in rows[split]]
    rows, notes = _drop_long(name, rows, fitted)
    if fitted.max_length == NO_LIMIT:
        longest = max(len(side) for found in rows.values() for pair in found for side in pair)
        fitted = PairEncoding(fitted.tokenizer, longest)
    dtype = torch.int16 if fitted.tokenizer.vocab_size < 2**15 else torch.int32
    splits = {split: PairSource.of(found, dtype) for split, found in rows.items()}
    return Dataset(
        facts=fitted.facts(),
        splits=splits,
        encoding=fitted,
        sha256=digest(pairs),
        notes=[_spell(splits, fitted), *notes],
    )


def deal_pairs(pairs: Sequence[Pair], split: Split, allow_empty: bool = False) -> dict[str, Any]:
    """Pairs by split; all those of one source go to the same, so that no test source is seen.

    Raises:
        UserError: A split is empty.
    """
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair[0], []).append(pair)
    dealt = list(groups.values())
    index = split.indices(torch.zeros(len(dealt), dtype=torch.int64), allow_empty=allow_empty)
    return {
        name: [pair for i in part.tolist() for pair in dealt[i]] for name, part in index.items()
    }


def digest(pairs: Pairs) -> str:
    """SHA-256 over names of splits and texts of pairs, in order."""
    total = hashlib.sha256()
    for split, found in pairs.items():
        total.update(f"{split} {len(found)}\n".encode())
        for source, target in found:
            total.update(f"{source}\t{target}\n".encode())
    return total.hexdigest()


def _tokenizer(form: TextForm, pairs: Pairs) -> Tokenizer:
    if form.tokenizer == "word":
        raise UserError(
            "data.tokenizer=word drops capitals and punctuation, so that no text can be written "
            "with it; pairs take data.tokenizer=bpe, char or byte"
        )
    seen = pairs.values() if form.tokenizer == "char" else [pairs["train"]]
    texts = (text for found in seen for pair in found for text in pair)
    return form.train(texts, SPECIALS, leading_space=True)


def _drop_long(
    name: str, rows: dict[str, list[tuple[Row, Row]]], fitted: PairEncoding
) -> tuple[dict[str, list[tuple[Row, Row]]], list[str]]:
    """Pairs of at most `max_length` tokens a side, and a note on how many were left out."""
    limit, notes = fitted.max_length, []
    kept = {
        split: [pair for pair in found if max(map(len, pair)) <= limit]
        for split, found in rows.items()
    }
    lost = {s: len(rows[s]) - len(kept[s]) for s in kept if len(kept[s]) < len(rows[s])}
    if lost:
        longest = max(len(side) for found in rows.values() for pair in found for side in pair)
        numbers = ", ".join(f"{n:,} of {len(rows[s]):,} in {s}" for s, n in lost.items())
        fact = f"longer than {limit} tokens (the longest has {longest})"
        if any(rows[s] and not kept[s] for s in kept):
            raise UserError(
                f"{name}: pairs {fact} are left out, and that leaves a split empty ({numbers}); "
                f"raise data.max_length, or cut the texts into sentences"
            )
        notes.append(f"left out, being {fact}: {numbers}")
    return kept, notes


def _spell(splits: Mapping[str, PairSource], fitted: PairEncoding) -> str:
    sizes = ", ".join(f"{len(source):,} {split}" for split, source in splits.items())
    every = [one for source in splits.values() for one in (source.source, source.target)]
    mean = sum(int(one.lengths.sum()) for one in every) / max(1, sum(len(e.lengths) for e in every))
    return (
        f"pairs: {sizes}; {mean:.1f} tokens a text, at most {fitted.max_length}, of "
        f"{fitted.tokenizer.vocab_size:,} ({fitted.tokenizer.kind})"
    )
