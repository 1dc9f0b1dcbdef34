"""How a prompt and its response become one row of token ids.

Shapes: N rows, T tokens of the longest.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from zoo.batch import Batch
from zoo.data.encoding import ENCODINGS
from zoo.data.text.encoding import TokenEncoding
from zoo.data.text.ragged import Row
from zoo.data.text.verifiers import VERIFIERS
from zoo.data.tokenizers.registry import EOT, MASK, Tokenizer, load_tokenizer
from zoo.errors import UserError

PLACEHOLDER = "{prompt}"  # in a template


@ENCODINGS.register("sft")
@dataclass(frozen=True)
class PromptEncoding(TokenEncoding):
    """The prompt in its template, the response, and the token that ends it.

    Attributes:
        tokenizer: Has an end-of-text token.
        length: Maximum number of tokens of a row.
        template: The text around a prompt, in which `{prompt}` stands for the prompt.
        prompt, response: Names of the two in each line of the file.
        verifier: Name of what checks an answer; None where only the response itself is right.
    """

    kind: ClassVar[str] = "sft"
    holds: ClassVar[str] = "prompts and responses"
    tokenizer: Tokenizer
    length: int
    template: str
    prompt: str = "prompt"
    response: str = "response"
    verifier: str | None = None

    def __post_init__(self) -> None:
        if PLACEHOLDER not in self.template:
            raise UserError(
                f"data.template={self.template!r}: expected '{PLACEHOLDER}' somewhere in it"
            )
        if EOT not in self.tokenizer.specials:
            raise UserError(
                f"the tokenizer of init.from has no '{EOT}', by which a model ends its answer"
            )

    @property
    def runtime_facts(self) -> dict[str, Any]:
        """The tokenizer, and the verifier, if there is one."""
        facts = super().runtime_facts
        return facts | ({"verifier": VERIFIERS[self.verifier]} if self.verifier else {})

    @property
    def pad_id(self) -> int:
        """The id that fills up shorter rows; it is never scored."""
        return self.tokenizer.specials[EOT]

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding."""
        return {
            "kind": self.kind,
            "length": self.length,
            "template": self.template,
            "columns": [self.prompt, self.response],
            **({"verifier": self.verifier} if self.verifier else {}),
            "tokenizer": self.tokenizer.to_json(),
        }

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> "PromptEncoding":
        """The inverse of `to_json`."""
        tokenizer = load_tokenizer(json["tokenizer"])
        prompt, response = json["columns"]
        form = (json["length"], json["template"], prompt, response, json.get("verifier"))
        return cls(tokenizer, *form)

    def encode(self, prompt: str, response: str) -> tuple[Row, int]:
        """All ids, int32 (T,), and how many of them are the prompt's."""
        prompt_ids = self.tokenizer.encode(self.template.replace(PLACEHOLDER, prompt))
        response_ids = self.tokenizer.encode(response)
        ids = np.concatenate([prompt_ids, response_ids, [self.pad_id]]).astype(np.int32)
        return ids, len(prompt_ids)

    def without_template(self, text: str) -> str:
        """The prompt of a text that has the template around it."""
        before, after = self.template.split(PLACEHOLDER, 1)
        return text.removeprefix(before).removesuffix(after)

    def prepare(self, batch: Batch) -> Batch:
        """Ids to int64, whatever they are stored as."""
        return batch | {"input": batch["input"].to(torch.int64)}

    def read(self, path: str) -> tuple[list[str], Batch]:
        """The prompt itself, as one sample."""
        ids = self.tokenizer.encode(self.template.replace(PLACEHOLDER, path))[: self.length]
        return [path], {"input": torch.from_numpy(ids).to(torch.int64)[None]}

    def facts(self) -> dict[str, Any]:
        """Facts that models and tasks may ask for."""
        specials = self.tokenizer.specials
        facts = {
            "vocab_size": self.tokenizer.vocab_size,
            "block_size": self.length,
            "token_bytes": self.tokenizer.token_bytes(),
            "eot_id": specials[EOT],
            "template": self.template,
        }
        return facts | ({"mask_id": specials[MASK]} if MASK in specials else {})
