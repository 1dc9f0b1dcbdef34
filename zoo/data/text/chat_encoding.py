"""How a conversation becomes rows of token ids: by the chat template of its tokenizer."""

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from zoo.batch import Batch
from zoo.data.chat.format import ChatFormat
from zoo.data.chat.messages import CONTENT, ROLE
from zoo.data.encoding import ENCODINGS
from zoo.data.text.encoding import TokenEncoding
from zoo.data.tokenizers.registry import MASK, Tokenizer, load_tokenizer
from zoo.errors import UserError


@ENCODINGS.register("chat")
@dataclass(frozen=True)
class ChatEncoding(TokenEncoding):
    """Messages in a chat template.

    Attributes:
        tokenizer: With a chat template (`Tokenizer.chat`).
        length: Maximum number of tokens of a row.
    """

    kind: ClassVar[str] = "chat"
    holds: ClassVar[str] = "conversations"
    tokenizer: Tokenizer
    length: int

    @functools.cached_property
    def chat(self) -> ChatFormat:
        """Conversations to ids."""
        return ChatFormat(self.tokenizer)

    @property
    def runtime_facts(self) -> dict[str, Any]:
        """The tokenizer, and how it writes conversations."""
        return super().runtime_facts | {"chat": self.chat}

    @property
    def pad_id(self) -> int:
        """The id that fills up shorter rows; it is never scored."""
        pad_id = self.tokenizer.pad_id
        return self.chat.end_id if pad_id is None else pad_id

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding."""
        return {"kind": self.kind, "length": self.length, "tokenizer": self.tokenizer.to_json()}

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> "ChatEncoding":
        """The inverse of `to_json`."""
        return cls(load_tokenizer(json["tokenizer"]), json["length"])

    def prepare(self, batch: Batch) -> Batch:
        """Ids to int64, whatever they are stored as."""
        return batch | {"input": batch["input"].to(torch.int64)}

    def read(self, path: str) -> tuple[list[str], Batch]:
        """A user's message, up to where the answer begins."""
        ids = self.chat.prompt([{ROLE: "user", CONTENT: path}])
        if len(ids) > self.length:
            raise UserError(f"input has {len(ids)} tokens, the model reads {self.length} at most")
        return [path], {"input": torch.from_numpy(ids).to(torch.int64)[None]}

    def facts(self) -> dict[str, Any]:
        """Facts that models and tasks may ask for."""
        specials = self.tokenizer.specials
        facts = {
            "vocab_size": self.tokenizer.vocab_size,
            "block_size": self.length,
            "token_bytes": self.tokenizer.token_bytes(),
            "eot_id": self.chat.end_id,
        }
        return facts | ({"mask_id": specials[MASK]} if MASK in specials else {})
