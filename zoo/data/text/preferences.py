"""From prompts with two answers each, of which one is preferred, to a `Dataset`.

Shapes: N rows, B batch, T tokens of the batch's longest.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.batch import Batch
from zoo.data.chat.messages import CONTENT, ROLE, Message
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset, text_fingerprint
from zoo.data.encoding import ENCODINGS
from zoo.data.text.chat_encoding import ChatEncoding
from zoo.data.text.coverage import coverage_notes, repeated_note, text_samples
from zoo.data.text.prompt_encoding import PromptEncoding
from zoo.data.text.prompts import fit_tokenizer, scored_row
from zoo.data.text.scored import ScoredRow, ScoredSource
from zoo.errors import UserError


class Preference(NamedTuple):
    """Two answers to the same messages.

    Attributes:
        messages: Of which the last is the user's; a plain prompt is the only one.
        chosen, rejected: The better answer and the worse one.
        where: It stands, for messages of errors.
    """

    messages: list[Message]
    chosen: str
    rejected: str
    where: str = ""

    @property
    def texts(self) -> list[str]:
        """All that is said."""
        return [*(message[CONTENT] for message in self.messages), self.chosen, self.rejected]

    @property
    def conversations(self) -> list[list[Message]]:
        """The messages with the better answer, and with the worse one."""
        answers = (self.chosen, self.rejected)
        return [[*self.messages, {ROLE: "assistant", CONTENT: answer}] for answer in answers]

    @property
    def key(self) -> str:
        """The same for equal messages with equal answers."""
        return json.dumps(self[:3], ensure_ascii=False)


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

    def trimmed(self, batch: Batch, index: Tensor) -> Batch:
        """A batch of the rows at `index` without what is padding in all of them."""
        both = (self.chosen, self.rejected)
        width = max(source.rows.columns(index, targets=1) for source in both)
        return {"input": batch["input"][..., :width], "scored": batch["scored"][..., : width - 1]}

    def to(self, device: torch.device) -> "PreferenceSource":
        """The same rows on another device."""
        return PreferenceSource(self.chosen.to(device), self.rejected.to(device))


def preference_dataset(
    name: str,
    splits: Mapping[str, Sequence[Preference]],
    encoding: PreferenceEncoding | ChatEncoding,
) -> Dataset:
    """A dataset of prompts with two answers, encoded once and held in memory.

    Args:
        name: Of the dataset, for messages.
        splits: Rows by split.
        encoding: How they are written: texts in a template, or messages by a chat template.

    Raises:
        UserError: A split whose rows are all too long; what the chat template refuses.
    """
    samples = text_samples(splits, lambda row: row.texts)
    notes = coverage_notes(name, encoding.tokenizer, samples)
    keys = {split: [row.key for row in rows] for split, rows in splits.items()}
    notes += repeated_note(keys, "prompts with their answers")
    kept = {split: _encode(name, split, rows, encoding) for split, rows in splits.items()}
    notes.insert(0, _summary(name, splits, kept, encoding.length))
    sources = {
        split: PreferenceSource(
            ScoredSource.of([chosen for chosen, _ in rows], encoding.pad_id),
            ScoredSource.of([rejected for _, rejected in rows], encoding.pad_id),
        )
        for split, rows in kept.items()
    }
    own = {split: members for split, members in keys.items() if split != "all"}
    return Dataset(encoding.facts(), sources, encoding, text_fingerprint(own), notes=notes)


def preference_encoding(
    splits: Mapping[str, Sequence[Preference]],
    context: DataContext,
    block_size: int,
    template: str,
    columns: tuple[str, str, str],
    verifier: str | None,
) -> PreferenceEncoding:
    """The run's encoding, or for a new one its tokenizer with a template.

    Args:
        splits: Rows by split. The tokenizer is fitted on the training split.
        context: The shared settings.
        block_size: Maximum number of tokens of a prompt with an answer; longer ones are left out.
        template: The text around a prompt.
        columns: Names of prompt, chosen and rejected answer in the file.
        verifier: Name of what checks an answer (`zoo.data.text.verifiers`), if there is one.

    Raises:
        UserError: Another kind of run's encoding; a tokenizer that writes no answer.
    """
    encoding = context.fitted(PreferenceEncoding)
    if encoding is None:
        texts = {split: [row.texts for row in rows] for split, rows in splits.items()}
        tokenizer = fit_tokenizer(context.tokenizer, texts, template, "preferences")
        return PreferenceEncoding(
            tokenizer, block_size, template, *columns[:2], verifier, columns[2]
        )
    context.tokenizer.check_same(encoding.tokenizer)
    return encoding


def _encode(
    name: str,
    split: str,
    rows: Sequence[Preference],
    encoding: PreferenceEncoding | ChatEncoding,
) -> list[tuple[ScoredRow, ScoredRow]]:
    """Both answers of each row after its prompt, where neither is too long."""
    write = _in_chat if isinstance(encoding, ChatEncoding) else _in_template
    encoded = [write(encoding, row) for row in rows]  # type: ignore[arg-type]
    lengths = [max(len(a[0]), len(b[0])) - 1 for a, b in encoded]  # the last token is only a target
    short = [row for row, n in zip(encoded, lengths, strict=True) if n <= encoding.length]
    if rows and not short:
        raise UserError(
            f"{name}: every row of the {split} split is longer than data.block_size="
            f"{encoding.length} tokens (the shortest has {min(lengths):,})"
        )
    return short


def _in_template(encoding: PreferenceEncoding, row: Preference) -> tuple[ScoredRow, ScoredRow]:
    prompt = row.messages[0][CONTENT]
    chosen, rejected = (
        scored_row(encoding.encode(prompt, answer)) for answer in (row.chosen, row.rejected)
    )
    return chosen, rejected


def _in_chat(encoding: ChatEncoding, row: Preference) -> tuple[ScoredRow, ScoredRow]:
    rows = []
    for messages in row.conversations:
        try:
            before, answer = encoding.chat.answer(messages)
        except UserError as error:
            raise UserError(f"{row.where}: {error}") from None
        rows.append(scored_row((np.concatenate([before, answer]), len(before))))
    if np.array_equal(rows[0][0], rows[1][0]):
        raise UserError(f"{row.where}: the chat template writes both answers alike")
    return rows[0], rows[1]


def _summary(
    name: str,
    splits: Mapping[str, Sequence[Preference]],
    kept: Mapping[str, Sequence[tuple[ScoredRow, ScoredRow]]],
    limit: int,
) -> str:
    """`preferences: 500 pairs, 23 tokens of a chosen answer and 31 of a rejected one`"""
    parts = [name for name in kept if name != "all"] or list(kept)
    pairs = [pair for part in parts for pair in kept[part]]
    chosen, rejected = (
        sum(int(pair[k][1].sum()) for pair in pairs) / max(1, len(pairs)) for k in (0, 1)
    )
    summary = (
        f"{name}: {len(pairs):,} pairs, {chosen:.0f} tokens of a chosen answer and {rejected:.0f} "
        f"of a rejected one"
    )
    dropped = sum(len(splits[part]) for part in parts) - len(pairs)
    if dropped:
        summary += f"; {dropped:,} longer than data.block_size={limit} tokens left out"
    return summary
