"""Text to token ids: the base of all text encodings, and the encoding of running text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from zoo.batch import Batch
from zoo.data.encoding import ENCODINGS
from zoo.data.text.ragged import padded
from zoo.data.tokenizers.registry import EOT, MASK, Tokenizer, load_tokenizer


class TokenEncoding:
    """The base of encodings by a tokenizer."""

    tokenizer: Tokenizer

    @property
    def runtime_facts(self) -> dict[str, Any]:
        """Facts that are objects and have no place in JSON."""
        return {"tokenizer": self.tokenizer}

    def prepare(self, batch: Batch) -> Batch:
        """Ids and classes to int64, whatever they are stored as."""
        return {name: column.to(torch.int64) for name, column in batch.items()}


class RowEncoding(TokenEncoding):
    """The base of encodings whose samples are rows of ids, padded on the right.

    Attributes:
        length: Maximum number of tokens of a row, special ones included.
    """

    length: int

    @property
    def pad_id(self) -> int:
        """The id that fills up shorter rows."""
        return self.tokenizer.need_pad_id()

    @property
    def room(self) -> int:
        """Tokens of a row besides the special ones around a text."""
        return self.length - len(self.tokenizer.wrap(np.zeros(0, np.int32), self.length))

    def join(self, batches: Sequence[Batch]) -> Batch:
        """Padded to the longest row of all."""
        rows = [row for batch in batches for row in batch["input"].numpy()]
        return {"input": padded(rows, self.pad_id)}


@ENCODINGS.register("text")
@dataclass(frozen=True)
class TextEncoding(TokenEncoding):
    """Text to token ids by a tokenizer fitted on the training split.

    Attributes:
        tokenizer: The tokenizer.
        length: Tokens in a block, or in a padded sample.
    """

    kind: ClassVar[str] = "text"
    holds: ClassVar[str] = "text"
    tokenizer: Tokenizer
    length: int

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding."""
        return {"kind": self.kind, "length": self.length, "tokenizer": self.tokenizer.to_json()}

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> "TextEncoding":
        """The inverse of `to_json`."""
        return cls(load_tokenizer(json["tokenizer"]), json["length"])

    def read(self, path: str) -> tuple[list[str], Batch]:
        """The text itself, as one sample."""
        ids = torch.from_numpy(self.tokenizer.encode(path)[: self.length]).to(torch.int64)
        return [path], {"input": ids[None]}

    def facts(self) -> dict[str, Any]:
        """Facts that models and tasks may ask for."""
        specials = self.tokenizer.specials
        facts: dict[str, Any] = {
            "vocab_size": self.tokenizer.vocab_size,
            "block_size": self.length,
            "token_bytes": self.tokenizer.token_bytes(),
            "eot_id": specials.get(EOT),
        }
        return facts | ({"mask_id": specials[MASK]} if MASK in specials else {})
