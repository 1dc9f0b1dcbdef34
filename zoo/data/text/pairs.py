"""From pairs of texts to a `Dataset`: the part that translations and other pairs share.

Ids are stored one after another, without padding; a batch is padded to its longest text. The source
states the length of each pair (`bucket_key`), and the loader groups pairs of similar length into
batches.
Shapes: N pairs, B batch, S and T tokens of source and target.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.splits import split_items
from zoo.data.text.coverage import coverage_notes, text_samples
from zoo.data.text.pair_encoding import SPECIALS, PairEncoding
from zoo.data.text.ragged import Ragged, Row, id_dtype
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.data.tokenizers.registry import Tokenizer
from zoo.data.tokenizers.scripts import unspaced_script
from zoo.errors import UserError

Pair = tuple[str, str]
Pairs = Mapping[str, Sequence[Pair]]  # by split
EncodedPairs = dict[str, list[tuple[Row, Row]]]  # by split
NO_LIMIT = 2**31
TARGETS = 20_000  # that are looked at to tell their script
WORD_OR_SIGN = re.compile(r"\w+|[^\w\s]")


class PairSource:
    """The pairs of one split.

    Args:
        source, target: Their two sides.
    """

    def __init__(self, source: Ragged, target: Ragged) -> None:
        self.source, self.target = source, target
        self.nbytes = source.nbytes + target.nbytes

    @classmethod
    def of(cls, rows: Sequence[tuple[Row, Row]], dtype: torch.dtype) -> "PairSource":
        """From two arrays a pair."""
        return cls(Ragged.of([a for a, _ in rows], dtype), Ragged.of([b for _, b in rows], dtype))

    def __len__(self) -> int:
        return len(self.source.lengths)

    @property
    def num_tokens(self) -> int:
        """Tokens of both sides of the split."""
        return len(self.source.flat) + len(self.target.flat)

    @property
    def bucket_key(self) -> Tensor:
        """Sort key (N,): by the length of the target, then of the source."""
        longest = int(self.source.lengths.max()) + 1
        return self.target.lengths * longest + self.source.lengths

    def fetch(self, index: Tensor, epoch: Tensor) -> Batch:
        """The pairs at `index` (B,): `source` (B, S), `target` (B, T), the same in each epoch."""
        return {"source": self.source.rows(index), "target": self.target.rows(index)}

    def trimmed(self, batch: Batch, index: Tensor) -> Batch:
        """A batch of the pairs at `index` without what is padding in all of them."""
        widths = {"source": self.source.width(index), "target": self.target.width(index)}
        return batch | {name: batch[name][:, :width] for name, width in widths.items()}

    def to(self, device: torch.device) -> "PairSource":
        """The same pairs on another device."""
        return PairSource(self.source.to(device), self.target.to(device))


def pair_dataset(
    name: str, pairs: Pairs, context: DataContext, max_length: int | None = None
) -> Dataset:
    """A dataset of pairs of texts, encoded once and held in memory.

    Args:
        name: Of the dataset, for messages.
        pairs: Source and target of "train", "val", "test", and of further splits to evaluate on.
        context: The shared settings. The tokenizer is fitted on both sides of the training split
            (characters: of all splits).
        max_length: Maximum number of tokens of either side, `<s>` and `</s>` included; longer
            pairs are left out. None for the longest of all.

    Raises:
        UserError: A tokenizer that cannot restore the text, or other than the run's; no pair
            short enough.
    """
    encoding = context.fitted(PairEncoding)
    if encoding is None:
        encoding = PairEncoding(_fit_tokenizer(context.tokenizer, pairs), max_length or NO_LIMIT)
    else:
        context.tokenizer.check_same(encoding.tokenizer)
    sha256 = digest(pairs)
    pairs = {split: context.some(members) for split, members in pairs.items()}
    samples = text_samples(pairs, lambda pair: pair)
    known = coverage_notes(name, encoding.tokenizer, samples)
    rows: EncodedPairs = {
        split: [(encoding.encode(a), encoding.encode(b)) for a, b in members]
        for split, members in pairs.items()
    }
    if not context.is_new:
        rows["all"] = [pair for split in ("train", "val", "test") for pair in rows[split]]
    rows, notes = _drop_long(name, rows, encoding)
    if encoding.max_length == NO_LIMIT:
        encoding = PairEncoding(encoding.tokenizer, _longest(rows))
    dtype = id_dtype(encoding.tokenizer.vocab_size)
    sources = {split: PairSource.of(members, dtype) for split, members in rows.items()}
    return Dataset(
        facts=encoding.facts() | _target_facts(pairs["train"]),
        splits=sources,
        encoding=encoding,
        sha256=sha256,
        notes=[_summary(sources, encoding), *known, *notes],
    )


def _target_facts(pairs: Sequence[Pair]) -> dict[str, Any]:
    """The targets' script, if it has no spaces between words; the longest target's words (signs
    count as such) and characters."""
    targets = [target for _, target in pairs]
    if not targets:
        return {}
    stride = max(1, len(targets) // TARGETS)
    words = max(len(WORD_OR_SIGN.findall(target)) for target in targets)
    characters = max(len("".join(target.split())) for target in targets)
    script = unspaced_script(targets[::stride])
    return {"target_script": script, "target_lengths": [words, characters]}


def split_pairs(pairs: Sequence[Pair], context: DataContext) -> dict[str, list[Pair]]:
    """Pairs by split; all pairs of one source text are in the same split.

    Raises:
        UserError: A split is empty.
    """
    by_source: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_source.setdefault(pair[0], []).append(pair)
    groups = split_items(list(by_source.values()), context.split, allow_empty=not context.is_new)
    return {split: [pair for group in chosen for pair in group] for split, chosen in groups.items()}


def digest(pairs: Pairs) -> str:
    """SHA-256 over names of splits and texts of pairs, in order."""
    total = hashlib.sha256()
    for split, members in pairs.items():
        total.update(f"{split} {len(members)}\n".encode())
        for source, target in members:
            total.update(f"{source}\t{target}\n".encode())
    return total.hexdigest()


def _fit_tokenizer(config: TokenizerConfig, pairs: Pairs) -> Tokenizer:
    config.check_writes("pairs")
    splits = pairs.values() if config.tokenizer == "char" else [pairs["train"]]
    texts = (text for members in splits for pair in members for text in pair)
    return config.train(texts, SPECIALS, leading_space=True)


def _longest(rows: EncodedPairs) -> int:
    return max(len(side) for members in rows.values() for pair in members for side in pair)


def _drop_long(
    name: str, rows: EncodedPairs, encoding: PairEncoding
) -> tuple[EncodedPairs, list[str]]:
    """Pairs of at most `max_length` tokens a side, and a note on how many were left out."""
    limit = encoding.max_length
    short = {
        split: [pair for pair in members if max(map(len, pair)) <= limit]
        for split, members in rows.items()
    }
    dropped = {s: len(rows[s]) - len(short[s]) for s in rows if len(short[s]) < len(rows[s])}
    if not dropped:
        return short, []
    numbers = ", ".join(f"{n:,} of {len(rows[s]):,} in {s}" for s, n in dropped.items())
    reason = f"longer than {limit} tokens (the longest has {_longest(rows)})"
    if any(rows[s] and not short[s] for s in rows):
        raise UserError(
            f"{name}: pairs {reason} are left out, which leaves a split empty ({numbers}); "
            f"raise data.max_length, or split the texts into sentences"
        )
    return short, [f"left out, {reason}: {numbers}"]


def _summary(sources: Mapping[str, PairSource], encoding: PairEncoding) -> str:
    """`pairs: 29,000 train, 1,014 val, 1,000 test; 15.3 tokens per text, at most 48; ...`"""
    sizes = ", ".join(f"{len(source):,} {split}" for split, source in sources.items())
    lengths = torch.cat(
        [s.lengths for pair in sources.values() for s in (pair.source, pair.target)]
    )
    mean = int(lengths.sum()) / max(1, len(lengths))
    return (
        f"pairs: {sizes}; {mean:.1f} tokens per text, at most {encoding.max_length}; vocabulary "
        f"{encoding.tokenizer.vocab_size:,} ({encoding.tokenizer.kind})"
    )
