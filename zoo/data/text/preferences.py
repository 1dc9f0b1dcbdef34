"""From prompts with two answers each, of which one is preferred, to a `Dataset`.

Shapes: N rows, B batch, T tokens of the batch's longest.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.batch import Batch
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.encoding import ENCODINGS
from zoo.data.text.coverage import coverage_notes, repeated_note, spread
from zoo.data.text.prompt_encoding import PLACEHOLDER, PromptEncoding
from zoo.data.text.prompts import PromptRow, fit_tokenizer, scored_row
from zoo.data.text.scored import ScoredSource
from zoo.errors import UserError


class Preference(NamedTuple):
    """A prompt, in its template, with two answers."""

    prompt: str
    chosen: str
    rejected: str


@ENCODINGS.register("preferences")
@dataclass(frozen=True)
class PreferenceEncoding(PromptEncoding):
    """The prompt, an answer and the token that ends it, for either answer.

    Attributes:
        rejected: Name of the worse answer in each line of the file; `response` of the better one.
    """

    kind: ClassVar[str] = "preferences"
    holds: ClassVar[str] = "prompts with two answers"
    response: str = "chosen"
    rejected: str = "rejected"

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding."""
        return super().to_json() | {"columns": [self.prompt, self.response, self.rejected]}

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> "PreferenceEncoding":
        """The inverse of `to_json`."""
        *columns, rejected = json["columns"]
        plain = PromptEncoding.from_json(json | {"columns": columns})
        known = {item.name: getattr(plain, item.name) for item in fields(plain)}
        return cls(**known, rejected=rejected)


class PreferenceSource:
    """The rows of one split.

    Args:
        chosen, rejected: The prompts with either answer.
    """

    def __init__(self, chosen: ScoredSource, rejected: ScoredSource) -> None:
        self.chosen, self.rejected = chosen, rejected
        self.nbytes = chosen.nbytes + rejected.nbytes

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def num_tokens(self) -> int:
        """Tokens of the split, prompts counted with either answer."""
        return self.chosen.num_tokens + self.rejected.num_tokens

    @property
    def bucket_key(self) -> Tensor:
        """Tokens of the longer of each two rows, (N,)."""
        return self.chosen.bucket_key.maximum(self.rejected.bucket_key)

    def fetch(self, index: Tensor, epoch: Tensor | None = None) -> Batch:
        """The rows at `index` (B,): `input` (B, 2, T), the chosen one first; `scored`
        (B, 2, T - 1), as of `ScoredSource`."""
        both = [source.fetch(index) for source in (self.chosen, self.rejected)]
        longest = max(batch["input"].shape[1] for batch in both)
        rows, scored = [], []
        for batch in both:
            missing = (0, longest - batch["input"].shape[1])
            rows.append(F.pad(batch["input"], missing, value=self.chosen.pad_id))
            scored.append(F.pad(batch["scored"], missing, value=False))
        return {"input": torch.stack(rows, 1), "scored": torch.stack(scored, 1)}

    def to(self, device: torch.device) -> "PreferenceSource":
        """The same rows on another device."""
        return PreferenceSource(self.chosen.to(device), self.rejected.to(device))


def preference_dataset(
    name: str,
    splits: Mapping[str, Sequence[Preference]],
    context: DataContext,
    block_size: int,
    template: str,
    columns: tuple[str, str, str],
    verifier: str | None = None,
) -> Dataset:
    """A dataset of prompts with two answers, encoded once and held in memory.

    Args:
        name: Of the dataset, for messages.
        splits: Rows by split.
        context: The shared settings. The tokenizer is fitted on the training split.
        block_size: Maximum number of tokens of a prompt with an answer; longer ones are left out.
        template: The text around a prompt, for predictions: those of the rows have it.
        columns: Names of prompt, chosen and rejected answer in the file.
        verifier: Name of what checks an answer (`zoo.data.text.verifiers`), if there is one.

    Raises:
        UserError: A split whose rows are all too long; another kind of run's encoding.
    """
    if block_size < 2:
        raise UserError(f"data.block_size={block_size}: expected 2 or more")
    encoding = context.fitted(PreferenceEncoding)
    if encoding is None:
        tokenizer = fit_tokenizer(context.tokenizer, splits, template, "preferences")
        encoding = PreferenceEncoding(
            tokenizer, block_size, template, *columns[:2], verifier, columns[2]
        )
    else:
        context.tokenizer.check_same(encoding.tokenizer)
    samples = {split: partial(_sample, rows) for split, rows in splits.items() if rows}
    notes = coverage_notes(name, encoding.tokenizer, samples)
    notes += repeated_note(splits, "prompts with their answers")
    kept = {split: _encode(name, split, rows, encoding) for split, rows in splits.items()}
    notes.insert(0, _summary(name, splits, kept, encoding))
    sources = {
        split: PreferenceSource(
            ScoredSource.of([scored_row(a) for a, _ in rows], encoding.pad_id),
            ScoredSource.of([scored_row(b) for _, b in rows], encoding.pad_id),
        )
        for split, rows in kept.items()
    }
    return Dataset(encoding.facts(), sources, encoding, _digest(splits), notes=notes)


def _sample(rows: Sequence[Preference]) -> Iterator[str]:
    return spread((text for row in rows for text in row), 3 * len(rows))


def _encode(
    name: str, split: str, rows: Sequence[Preference], encoding: PreferenceEncoding
) -> list[tuple[PromptRow, PromptRow]]:
    """Both answers of each row after its prompt, where neither is too long."""
    plain = replace(encoding, template=PLACEHOLDER)  # the rows have the template already
    encoded = [
        (plain.encode(prompt, chosen), plain.encode(prompt, rejected))
        for prompt, chosen, rejected in rows
    ]
    lengths = [max(len(a[0]), len(b[0])) - 1 for a, b in encoded]  # the last token is only a target
    short = [row for row, n in zip(encoded, lengths, strict=True) if n <= encoding.length]
    if rows and not short:
        raise UserError(
            f"{name}: every row of the {split} split is longer than data.block_size="
            f"{encoding.length} tokens (the shortest has {min(lengths):,})"
        )
    return short


def _summary(
    name: str,
    splits: Mapping[str, Sequence[Preference]],
    kept: Mapping[str, Sequence[tuple[PromptRow, PromptRow]]],
    encoding: PreferenceEncoding,
) -> str:
    """`preferences: 500 pairs, 23 tokens of a chosen answer and 31 of a rejected one`"""
    parts = [name for name in kept if name != "all"] or list(kept)
    pairs = [pair for part in parts for pair in kept[part]]
    chosen, rejected = (
        sum(len(row[k][0]) - row[k][1] for row in pairs) / max(1, len(pairs)) for k in (0, 1)
    )
    summary = (
        f"{name}: {len(pairs):,} pairs, {chosen:.0f} tokens of a chosen answer and {rejected:.0f} "
        f"of a rejected one"
    )
    dropped = sum(len(splits[part]) for part in parts) - len(pairs)
    if dropped:
        summary += f"; {dropped:,} longer than data.block_size={encoding.length} tokens left out"
    return summary


def _digest(splits: Mapping[str, Sequence[Preference]]) -> str:
    total = hashlib.sha256()
    for split in sorted(splits):
        for row in splits[split]:
            digests = (hashlib.sha256(text.encode("utf-8", "surrogatepass")) for text in row)
            total.update(b"".join(digest.digest() for digest in digests))
        total.update(split.encode())
    return total.hexdigest()
