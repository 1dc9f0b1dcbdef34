"""How a sequence of bits that a user types becomes a question."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.encoding import ENCODINGS
from zoo.data.sequences.questions import FLAGS, Question, copy_question, recall_question
from zoo.errors import UserError


@ENCODINGS.register("bits")
@dataclass(frozen=True)
class BitEncoding:
    """Bits as they are, in the form of the run's questions.

    Attributes:
        form: `copy` or `recall`.
        bits: Of each vector.
        distance: Empty steps before the answer.
    """

    kind: ClassVar[str] = "bits"
    holds: ClassVar[str] = "sequences of bits"
    tokenizer: ClassVar[None] = None
    form: Literal["copy", "recall"]
    bits: int
    distance: int

    @property
    def runtime_facts(self) -> dict[str, Any]:
        """None."""
        return {}

    def to_json(self) -> dict[str, Any]:
        """For the run directory."""
        fields = {"form": self.form, "bits": self.bits, "distance": self.distance}
        return {"kind": self.kind, **fields}

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> "BitEncoding":
        """The inverse of `to_json`."""
        return cls(json["form"], json["bits"], json["distance"])

    def facts(self) -> dict[str, Any]:
        """Facts that models and tasks may ask for."""
        return {"input_width": self.bits + FLAGS[self.form], "num_outputs": self.bits}

    def prepare(self, batch: Batch) -> Batch:
        """Bits to float32."""
        floats = {name: batch[name].float() for name in ("input", "target") if name in batch}
        return batch | floats

    def read(self, path: str) -> tuple[list[str], Batch]:
        """Vectors of bits, as `0110 1010`; of recall items, with `/` between, the last of which is
        the one that is asked about.

        Raises:
            UserError: Something else than such vectors; an item that is asked about and was not
                shown.
        """
        items = [[self._vector(word, path) for word in part.split()] for part in path.split("/")]
        if self.form == "copy":
            if len(items) > 1 or not items[0]:
                raise self._mistake(path)
            question = copy_question(np.array(items[0], np.uint8), self.distance)
        else:
            question = self._recall(items, path)
        columns = zip(question._fields, question, strict=True)
        stored = {name: torch.from_numpy(column)[None] for name, column in columns}
        return [path], {name: stored[name] for name in ("input", "scored")}

    def join(self, batches: Sequence[Batch]) -> Batch:
        """Sequences of unequal length as one batch; zeros at the end, of which nothing is asked."""
        longest = max(batch["input"].shape[1] for batch in batches)

        def padded(column: Tensor) -> Tensor:
            end = column.new_zeros(len(column), longest - column.shape[1], *column.shape[2:])
            return torch.cat([column, end], dim=1)

        return {name: torch.cat([padded(b[name]) for b in batches]) for name in batches[0]}

    def _recall(self, items: list[list[list[int]]], path: str) -> Question:
        *shown, asked = items
        if len(shown) < 2 or len({len(item) for item in items}) > 1 or not asked:
            raise self._mistake(path)
        if asked not in shown[:-1]:
            raise UserError(
                f"input={path}: the item after the last / is asked about: expected one of those "
                f"before it, and not the last of them, which none follows"
            )
        array = np.array(shown, np.uint8)
        return recall_question(array, shown.index(asked), self.distance)

    def _vector(self, word: str, path: str) -> list[int]:
        if len(word) != self.bits or set(word) - {"0", "1"}:
            raise self._mistake(path)
        return [int(bit) for bit in word]

    def _mistake(self, path: str) -> UserError:
        one, other = "01" * self.bits, "10" * self.bits
        vectors = f"{one[: self.bits]} {other[: self.bits]}"
        form = f"vectors of {self.bits} bits, such as input='{vectors}'"
        if self.form == "recall":
            words = " / ".join([one[: self.bits], other[: self.bits], one[: self.bits]])
            form = f"items of as many vectors of {self.bits} bits each, such as input='{words}'"
        return UserError(f"input={path}: expected {form}")
