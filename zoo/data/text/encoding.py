"""How text becomes token ids: `TextForm` is asked for by a config, `TextEncoding` kept by a run."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from zoo.batch import Batch
from zoo.data.tokenizers.registry import (
    EOT,
    MASK,
    PAD,
    Tokenizer,
    TokenizerName,
    load_tokenizer,
    train_tokenizer,
)
from zoo.errors import UserError


@dataclass(frozen=True)
class TextForm:
    """What `data.tokenizer`, `data.vocab_size`, ... say.

    Attributes:
        tokenizer: "byte", "char", "word" or "bpe".
        vocab_size: Ids at most; bytes and characters need none.
        min_count: How often a word must occur in the training split to be one (word).
        mask_token: Whether to reserve an id for `[MASK]`, which masked language models need.
        given: A tokenizer to be taken as it is: that of the weights that training starts from.
    """

    tokenizer: TokenizerName = "bpe"
    vocab_size: int | None = 4096
    min_count: int = 1
    mask_token: bool = False
    given: Tokenizer | None = None

    def __post_init__(self) -> None:
        if self.vocab_size is not None and self.vocab_size < 2:
            raise UserError(f"data.vocab_size={self.vocab_size}: expected 2 or more, or null")
        if self.min_count < 1:
            raise UserError(f"data.min_count={self.min_count}: expected 1 or more")

    def train(
        self, texts: Iterable[str], specials: Iterable[str] = (), leading_space: bool = False
    ) -> Tokenizer:
        """A tokenizer of this form, fitted on texts; or the one given.

        Raises:
            UserError: The one given lacks a special token that the data needs.
        """
        if self.given is not None:
            for name in set(specials) - {PAD, EOT}:  # these have stand-ins
                if name not in self.given.specials:
                    raise UserError(f"the tokenizer of init.from has no '{name}', which data needs")
            return self.given
        named = [*specials, *([MASK] if self.mask_token else [])]
        return train_tokenizer(
            self.tokenizer, texts, self.vocab_size, self.min_count, named, leading_space
        )


@dataclass(frozen=True)
class TextEncoding:
    """Text to token ids by a tokenizer fitted on the training split.

    Attributes:
        tokenizer: The tokenizer.
        length: Tokens in a block, or in a padded sample.
    """

    kind: ClassVar[str] = "text"
    tokenizer: Tokenizer
    length: int

    @property
    def live_facts(self) -> dict[str, Any]:
        """Facts that are objects: what JSON cannot hold."""
        return {"tokenizer": self.tokenizer}

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding."""
        return {"kind": self.kind, "length": self.length, "tokenizer": self.tokenizer.to_json()}

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> "TextEncoding":
        """The inverse of `to_json`."""
        return cls(load_tokenizer(json["tokenizer"]), json["length"])

    def prepare(self, batch: Batch) -> Batch:
        """Ids to int64, whatever they are stored as."""
        return {name: column.to(torch.int64) for name, column in batch.items()}

    def read(self, path: str) -> tuple[list[str], Batch]:
        """The text itself, as one sample."""
        ids = torch.from_numpy(self.tokenizer.encode(path)[: self.length]).to(torch.int64)
        return [path], {"input": ids[None]}

    def facts(self) -> dict[str, Any]:
        """What models and tasks may ask for."""
        specials = self.tokenizer.specials
        facts: dict[str, Any] = {
            "vocab_size": self.tokenizer.vocab_size,
            "block_size": self.length,
            "token_bytes": self.tokenizer.token_bytes(),
            "eot_id": specials.get(EOT),
        }
        return facts | ({"mask_id": specials[MASK]} if MASK in specials else {})


def encoding_for_text(json: dict[str, Any] | None) -> TextEncoding | None:
    """The run's encoding, if one is given; it must be one for text."""
    from zoo.data.encoding import load_encoding

    if json is None:
        return None
    fitted = load_encoding(json)
    if not isinstance(fitted, TextEncoding):
        raise UserError(f"the data holds text, the run was trained on a {json['kind']}")
    return fitted
