"""How a pair of texts becomes two rows of token ids: kept by the run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from zoo.batch import Batch
from zoo.data.tokenizers.registry import BOS, EOS, PAD, Tokenizer, load_tokenizer
from zoo.errors import UserError

SPECIALS = (PAD, BOS, EOS)  # their ids are 0, 1, 2


@dataclass(frozen=True)
class PairEncoding:
    """Texts to token ids by a tokenizer fitted on both sides of the training split.

    Attributes:
        tokenizer: The tokenizer; its first ids are `<pad>`, `<s>`, `</s>`.
        max_length: The most tokens of either side, `<s>` and `</s>` counted in.
    """

    kind: ClassVar[str] = "pair"
    tokenizer: Tokenizer
    max_length: int

    @property
    def live_facts(self) -> dict[str, Any]:
        """Facts that are objects: what JSON cannot hold."""
        return {"tokenizer": self.tokenizer}

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding."""
        return {
            "kind": self.kind,
            "max_length": self.max_length,
            "tokenizer": self.tokenizer.to_json(),
        }

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> "PairEncoding":
        """The inverse of `to_json`."""
        return cls(load_tokenizer(json["tokenizer"]), json["max_length"])

    def encode(self, text: str) -> np.ndarray:
        """`<s>`, the text's ids, `</s>`: int32 (T,)."""
        specials = self.tokenizer.specials
        ids = self.tokenizer.encode(text)
        return np.concatenate([[specials[BOS]], ids, [specials[EOS]]]).astype(np.int32)

    def prepare(self, batch: Batch) -> Batch:
        """Ids to int64, whatever they are stored as."""
        return {name: column.to(torch.int64) for name, column in batch.items()}

    def read(self, path: str) -> tuple[list[str], Batch]:
        """The text itself as one source, or those of a file, one a line."""
        texts = [path]
        if Path(path).is_file():
            texts = [line for line in Path(path).read_text("utf-8").split("\n") if line.strip()]
        rows = [self.encode(text.strip()) for text in texts]
        for text, row in zip(texts, rows):
            if len(row) > self.max_length:
                raise UserError(
                    f"'{text[:40]}...' has {len(row) - 2} tokens, expected at most "
                    f"{self.max_length - 2}: cut it into sentences"
                )
        padded = np.zeros((len(rows), max(map(len, rows))), np.int64)
        for row, ids in zip(padded, rows):
            row[: len(ids)] = ids
        return texts, {"source": torch.from_numpy(padded)}

    def facts(self) -> dict[str, Any]:
        """What models and tasks may ask for."""
        pad, bos, eos = (self.tokenizer.specials[name] for name in SPECIALS)
        return {
            "vocab_size": self.tokenizer.vocab_size,
            "pad_id": pad,
            "bos_id": bos,
            "eos_id": eos,
            "max_length": self.max_length,
        }


def encoding_for_pairs(json: dict[str, Any] | None) -> PairEncoding | None:
    """The run's encoding, if one is given; it must be one for pairs."""
    from zoo.data.encoding import load_encoding

    if json is None:
        return None
    fitted = load_encoding(json)
    if not isinstance(fitted, PairEncoding):
        raise UserError(f"the data holds pairs of texts, the run was trained on a {json['kind']}")
    return fitted
