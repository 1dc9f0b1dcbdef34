"""How a text becomes a row of token ids to be classified: kept by the run.

Shapes: N texts, T tokens of the longest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.tables.csv_file import Table, read_csv
from zoo.data.text.files import first_byte, pieces
from zoo.data.tokenizers.registry import MASK, PAD, Tokenizer, load_tokenizer
from zoo.errors import UserError, unknown_name

SPECIALS = (PAD,)


@dataclass(frozen=True)
class LabelledTextEncoding:
    """Texts to token ids, padded on the right, by a tokenizer fitted on the training split.

    Attributes:
        tokenizer: The tokenizer; `<pad>` is among its special tokens.
        length: The most tokens of a text; what follows them is cut off.
        class_names: Name of each class, by number.
        text, target, delimiter: The columns of the CSV file that it was trained on, if it was one.
    """

    kind: ClassVar[str] = "labelled_text"
    tokenizer: Tokenizer
    length: int
    class_names: tuple[str, ...]
    text: str | None = None
    target: str | None = None
    delimiter: str | None = None

    @property
    def live_facts(self) -> dict[str, Any]:
        """Facts that are objects: what JSON cannot hold."""
        return {"tokenizer": self.tokenizer}

    @property
    def pad_id(self) -> int:
        """What shorter texts are filled up with."""
        found = self.tokenizer.pad_id
        if found is None:
            raise UserError("the tokenizer has no token to fill up shorter texts with")
        return found

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding."""
        return {
            "kind": self.kind,
            "length": self.length,
            "class_names": list(self.class_names),
            "columns": [self.text, self.target, self.delimiter],
            "tokenizer": self.tokenizer.to_json(),
        }

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> "LabelledTextEncoding":
        """The inverse of `to_json`."""
        names, tokenizer = tuple(json["class_names"]), load_tokenizer(json["tokenizer"])
        return cls(tokenizer, json["length"], names, *json["columns"])

    def encode(self, text: str) -> np.ndarray:
        """All ids of a text, int32 (T,); a text without any is the one id of padding."""
        ids = self.tokenizer.encode(text)
        return ids if len(ids) else np.array([self.pad_id], np.int32)

    def prepare(self, batch: Batch) -> Batch:
        """Ids to int64, whatever they are stored as."""
        return {name: column.to(torch.int64) for name, column in batch.items()}

    def read(self, path: str) -> tuple[list[str], Batch]:
        """A text; those of a CSV file, by the column of the training; or of a file, one a line.

        Raises:
            UserError: Nothing to read, a column that is missing.
        """
        names, texts = self._texts(path)
        rows = [self.tokenizer.wrap(self.encode(text), self.length) for text in texts]
        return names, {"input": padded(rows, self.pad_id)}

    def _texts(self, path: str) -> tuple[list[str], list[str]]:
        if not _is_file(path):
            if not path.strip():
                raise UserError("input= is empty; expected a text, or a file of texts, one a line")
            return [path], [path]
        if path.lower().endswith(".csv") and self.text is not None:
            table, _ = with_text(read_csv(path, self.delimiter), self.text)
            return [f"{path}:{line}" for line in table.lines], cells(table, self.text)
        whole = "".join(pieces(Path(path), first_byte(Path(path))))
        kept = [(n, line) for n, line in enumerate(whole.split("\n"), start=1) if line.strip()]
        if not kept:
            raise UserError(f"{path}: the file is empty; expected texts, one a line")
        return [f"{path}:{number}" for number, _ in kept], [line for _, line in kept]

    def facts(self) -> dict[str, Any]:
        """What models and tasks may ask for."""
        number, specials = len(self.class_names), self.tokenizer.specials
        facts: dict[str, Any] = {
            "vocab_size": self.tokenizer.vocab_size,
            "block_size": self.length,
            "pad_id": self.pad_id,
            "num_classes": number,
            "num_outputs": number,
            "class_names": list(self.class_names),
        }
        return facts | ({"mask_id": specials[MASK]} if MASK in specials else {})


def encoding_for_labelled_text(json: dict[str, Any] | None) -> LabelledTextEncoding | None:
    """The run's encoding, if one is given; it must be one for texts of classes."""
    from zoo.data.encoding import load_encoding

    if json is None:
        return None
    fitted = load_encoding(json)
    if not isinstance(fitted, LabelledTextEncoding):
        raise UserError(f"the data holds texts of classes, the run was trained on a {json['kind']}")
    return fitted


def padded(rows: Sequence[np.ndarray], pad_id: int) -> Tensor:
    """Int64 (N, T), padded on the right to the longest."""
    made = torch.full((len(rows), max(map(len, rows))), pad_id)
    for row, ids in zip(made, rows):
        row[: len(ids)] = torch.from_numpy(ids)
    return made


def cells(table: Table, column: str) -> list[str]:
    """A column's texts as they are written: in a text, `null` or `?` are words."""
    at = table.header.index(column)
    return [row[at] for row in table.rows]


def with_text(table: Table, column: str) -> tuple[Table, int]:
    """The rows whose text is not empty, and how many others there are.

    Raises:
        UserError: No such column, or none of its rows has a text.
    """
    if column not in table.header:
        raise UserError(f"data.text: {table.path}: {unknown_name('column', column, table.header)}")
    kept = [i for i, text in enumerate(cells(table, column)) if text.strip()]
    if not kept:
        raise UserError(f"{table.path}: the column '{column}' is empty in every row")
    rows, lines = ([column[i] for i in kept] for column in (table.rows, table.lines))
    return replace(table, rows=rows, lines=lines), len(table.rows) - len(kept)


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # a text too long to be a name
        return False
