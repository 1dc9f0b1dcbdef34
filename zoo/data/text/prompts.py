"""From prompts and responses to a `Dataset` of rows of which the responses alone are scored.

Ouyang et al., 2022, https://arxiv.org/abs/2203.02155, step 1 (supervised fine-tuning).
Shapes: N rows, B batch, T tokens of the batch's longest.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.dataset import Dataset
from zoo.data.text.encoding import TextForm
from zoo.data.text.pairs import Ragged
from zoo.data.text.prompt_encoding import SftEncoding
from zoo.data.tokenizers.registry import EOT
from zoo.errors import UserError

Pair = tuple[str, str]  # prompt, response
Row = tuple[np.ndarray, int]  # ids, how many of them are the prompt's


class SftSource:
    """The rows of one split.

    Args:
        rows: Their ids.
        asked: How many of each row are the prompt's, int64 (N,).
        pad_id: What shorter rows are filled up with.
    """

    def __init__(self, rows: Ragged, asked: Tensor, pad_id: int) -> None:
        self.rows, self.asked, self.pad_id = rows, asked, pad_id
        self.nbytes = sum(t.nbytes for t in (rows.flat, rows.starts, asked))

    @classmethod
    def of(cls, rows: Sequence[Row], pad_id: int) -> "SftSource":
        """From an array and a number each."""
        asked = torch.tensor([n for _, n in rows], dtype=torch.int64)
        return cls(Ragged.of([ids for ids, _ in rows], torch.int32), asked, pad_id)

    def __len__(self) -> int:
        return len(self.asked)

    @property
    def bucket_key(self) -> Tensor:
        """Tokens of each row, (N,)."""
        return self.rows.lengths.cpu()

    def fetch(self, index: Tensor, epoch: Tensor | None = None) -> Batch:
        """The rows at `index` (B,): `input` (B, T); `scored` (B, T - 1), whether the token after
        each place is the response's, its end counted in."""
        input = self.rows.rows(index, self.pad_id)
        place = torch.arange(1, input.shape[1], device=input.device)
        index = index.to(self.asked.device)
        asked, length = self.asked[index, None], self.rows.lengths[index, None]
        return {"input": input, "scored": (place >= asked) & (place < length)}

    def to(self, device: torch.device) -> "SftSource":
        """The same rows on another device."""
        return SftSource(self.rows.to(device), self.asked.to(device), self.pad_id)


def sft_dataset(
    name: str,
    pairs: Mapping[str, Sequence[Pair]],
    form: TextForm,
    block_size: int,
    template: str,
    encoding: dict[str, Any] | None = None,
    columns: tuple[str, str] = ("prompt", "response"),
) -> Dataset:
    """A dataset of prompts and responses, encoded once and held in memory.

    Args:
        name: Of the dataset, for messages.
        pairs: Those of "train", "val", "test", and of further splits to judge on.
        form: Which tokenizer; it is fitted on the training split.
        block_size: The most tokens of a row; longer ones are left out.
        template: What stands around a prompt.
        encoding: JSON of a run's encoding, to be used in place of fitting one.
        columns: Names of prompt and response in the file.

    Raises:
        UserError: A split whose rows are all too long; another kind of run's encoding.
    """
    from zoo.data.encoding import load_encoding

    if block_size < 2:
        raise UserError(f"data.block_size={block_size}: expected 2 or more")
    if encoding is not None:
        fitted = load_encoding(encoding)
        if not isinstance(fitted, SftEncoding):
            raise UserError(
                f"the data holds prompts and responses, the run was trained on a {encoding['kind']}"
            )
    else:
        seen = (text for pair in pairs["train"] for text in pair)
        tokenizer = form.train(seen, [EOT])
        fitted = SftEncoding(tokenizer, block_size, template, *columns)
    sources, left_out, tokens = {}, 0, 0
    for split, found in pairs.items():
        rows = [fitted.encode(*pair) for pair in found]
        kept = [row for row in rows if len(row[0]) <= fitted.length + 1]
        if found and not kept:
            raise UserError(
                f"{name}: every row of the {split} split is longer than data.block_size="
                f"{fitted.length} tokens (the shortest {min(len(ids) for ids, _ in rows):,})"
            )
        left_out += len(rows) - len(kept)
        tokens += sum(len(ids) - asked for ids, asked in kept)
        sources[split] = SftSource.of(kept, fitted.pad_id)
    number = sum(map(len, sources.values()))
    note = f"{name}: {number:,} prompts, {tokens / max(1, number):.0f} tokens a response"
    if left_out:
        note += f"; {left_out:,} longer than data.block_size={fitted.length} tokens left out"
    return Dataset(fitted.facts(), sources, fitted, _digest(pairs), notes=[note])


def _digest(pairs: Mapping[str, Sequence[Pair]]) -> str:
    total = hashlib.sha256()
    for split in sorted(set(pairs) - {"all"}):
        for pair in pairs[split]:
            parts = (hashlib.sha256(text.encode("utf-8", "surrogatepass")) for text in pair)
            total.update(b"".join(part.digest() for part in parts))
        total.update(split.encode())
    return total.hexdigest()
