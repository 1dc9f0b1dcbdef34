"""How a pair of texts becomes two rows of token ids."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from zoo.batch import Batch
from zoo.data.charset import read_text
from zoo.data.encoding import ENCODINGS
from zoo.data.paths import is_file
from zoo.data.text.encoding import TokenEncoding
from zoo.data.text.ragged import Row, padded
from zoo.data.tokenizers.registry import BOS, EOS, PAD, Tokenizer, load_tokenizer
from zoo.errors import UserError

SPECIALS = (PAD, BOS, EOS)  # their ids are 0, 1, 2


@ENCODINGS.register("pair")
@dataclass(frozen=True)
class PairEncoding(TokenEncoding):
    """Texts to token ids by a tokenizer fitted on both sides of the training split.

    Attributes:
        tokenizer: The tokenizer; its first ids are `<pad>`, `<s>`, `</s>`.
        max_length: Maximum number of tokens of either side, `<s>` and `</s>` included.
    """

    kind: ClassVar[str] = "pair"
    holds: ClassVar[str] = "pairs of texts"
    tokenizer: Tokenizer
    max_length: int

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

    def encode(self, text: str) -> Row:
        """`<s>`, the text's ids, `</s>`: int32 (T,)."""
        specials = self.tokenizer.specials
        ids = self.tokenizer.encode(text)
        return np.concatenate([[specials[BOS]], ids, [specials[EOS]]]).astype(np.int32)

    def read(self, path: str) -> tuple[list[str], Batch]:
        """The text itself as one source, or those of a file, one per line."""
        texts = [path]
        if is_file(path):
            texts = [line for line in read_text(Path(path)).text.split("\n") if line.strip()]
        rows = [self.encode(text.strip()) for text in texts]
        for text, row in zip(texts, rows, strict=True):
            if len(row) > self.max_length:
                raise UserError(
                    f"'{text[:40]}...' has {len(row) - 2} tokens, expected at most "
                    f"{self.max_length - 2}: split it into sentences"
                )
        return texts, {"source": padded(rows, self.tokenizer.specials[PAD])}

    def facts(self) -> dict[str, Any]:
        """Facts that models and tasks may ask for."""
        pad, bos, eos = (self.tokenizer.specials[name] for name in SPECIALS)
        return {
            "vocab_size": self.tokenizer.vocab_size,
            "pad_id": pad,
            "bos_id": bos,
            "eos_id": eos,
            "max_length": self.max_length,
        }
