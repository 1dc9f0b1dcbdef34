"""How a text becomes a row of token ids to be classified.

Shapes: N texts, T tokens of the longest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from zoo.batch import Batch
from zoo.data.charset import read_text
from zoo.data.encoding import ENCODINGS
from zoo.data.paths import is_file
from zoo.data.tables.csv_file import Table, read_csv
from zoo.data.text.coverage import unknown_note
from zoo.data.text.encoding import RowEncoding
from zoo.data.text.ragged import Row, padded
from zoo.data.tokenizers.registry import MASK, PAD, Tokenizer, load_tokenizer
from zoo.errors import UserError

SPECIALS = (PAD,)
TABLES = {".csv", ".tsv"}  # also of compressed files: .csv.gz
FILES = TABLES | {".txt", ".json", ".jsonl", ".gz", ".xlsx", ".parquet"}


@ENCODINGS.register("labelled_text")
@dataclass(frozen=True)
class LabelledTextEncoding(RowEncoding):
    """Texts to token ids, padded on the right, by a tokenizer fitted on the training split.

    Attributes:
        tokenizer: The tokenizer; `<pad>` is among its special tokens.
        length: Maximum number of tokens of a text; the rest is cut off.
        class_names: Name of each class, by number.
        text, target, delimiter: The columns of the CSV file that it was trained on, if it was one.
        separator: Between the labels of a text, of which it may have several; None for one class.
    """

    kind: ClassVar[str] = "labelled_text"
    holds: ClassVar[str] = "labelled texts"
    tokenizer: Tokenizer
    length: int
    class_names: tuple[str, ...]
    text: str | None = None
    target: str | None = None
    delimiter: str | None = None
    separator: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding."""
        labels = {} if self.separator is None else {"separator": self.separator}
        return labels | {
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
        columns = json["columns"]
        if not isinstance(columns, list) or len(columns) != 3:
            raise ValueError("columns: expected a text, a target and a delimiter")
        text, target, delimiter = columns
        separator = json.get("separator")
        return cls(tokenizer, json["length"], names, text, target, delimiter, separator)

    def encode(self, text: str) -> Row:
        """All ids of a text, int32 (T,); a text without any gets one id of padding."""
        ids = self.tokenizer.encode(text)
        return ids if len(ids) else np.array([self.pad_id], np.int32)

    def read(self, path: str) -> tuple[list[str], Batch]:
        """As `read_noted`, without the notes."""
        names, batch, _ = self.read_noted(path)
        return names, batch

    def read_noted(self, path: str) -> tuple[list[str], Batch, list[str]]:
        """A text; the texts of a CSV file, from the column of the training; or a file's lines.

        Raises:
            UserError: Nothing to read, a column that is missing.
        """
        return self._read(*self._texts(path))

    def read_value(self, value: Any) -> tuple[list[str], Batch, list[str]]:
        """As `read_noted`, of a list of texts, though files may have their names.

        Raises:
            UserError: It is something else, or one of them is empty.
        """
        is_list = isinstance(value, list | tuple) and len(value) > 0
        if not is_list or not all(isinstance(text, str) and text.strip() for text in value):
            raise UserError(f"input={value!r:.60}: expected a text, or a list of texts")
        return self._read(list(value), list(value), [])

    def _read(
        self, names: list[str], texts: list[str], notes: list[str]
    ) -> tuple[list[str], Batch, list[str]]:
        notes = [*notes, *unknown_note(self.tokenizer, texts)]
        whole = [self.encode(text) for text in texts]
        rows = [self.tokenizer.wrap(ids, self.length) for ids in whole]
        if longer := self.truncated(whole):
            which = "the text" if len(texts) == 1 else f"{longer:,} of {len(texts):,} texts"
            verb = "have" if longer > 1 else "has"
            notes.append(
                f"{which} {verb} more than the {self.length} tokens that the model reads "
                f"(data.block_size): the answer is about the beginning"
            )
        return names, {"input": padded(rows, self.pad_id)}, notes

    def truncated(self, ids: Sequence[Row]) -> int:
        """How many texts of these ids are cut off."""
        room = self.room
        return sum(len(row) > room for row in ids)

    def _texts(self, path: str) -> tuple[list[str], list[str], list[str]]:
        """Names, texts, and notes on how they were read."""
        if not is_file(path):
            if not path.strip():
                raise UserError("input= is empty; expected a text, or a file of texts")
            is_name = Path(path).suffix.lower() in FILES and len(path.split()) == 1
            return [path], [path], [f"no such file, so it is a text: {path}"] if is_name else []
        if self.text is not None and TABLES.intersection(Path(path.lower()).suffixes):
            table, _ = with_text(read_csv(path, self.delimiter), self.text)
            return [f"{path}:{line}" for line in table.lines], cells(table, self.text), table.notes
        text, notes = read_text(Path(path))
        lines = text.replace("\r\n", "\n").split("\n")
        numbered = [(n, line) for n, line in enumerate(lines, start=1) if line.strip()]
        if not numbered:
            raise UserError(f"{path}: the file is empty; expected one text per line")
        names = [f"{path}:{number}" for number, _ in numbered]
        return names, [line for _, line in numbered], notes

    def facts(self) -> dict[str, Any]:
        """Facts that models and tasks may ask for."""
        number, specials = len(self.class_names), self.tokenizer.specials
        facts: dict[str, Any] = {
            "vocab_size": self.tokenizer.vocab_size,
            "block_size": self.length,
            "pad_id": self.pad_id,
            "num_classes": number,
            "num_outputs": number,
        }
        if self.separator is None:
            facts["class_names"] = list(self.class_names)
        return facts | ({"mask_id": specials[MASK]} if MASK in specials else {})


def cells(table: Table, column: str) -> list[str]:
    """A column's texts as they are written: in a text, `null` or `?` are words."""
    position = table.header.index(column)
    return [row[position] for row in table.rows]


def with_text(table: Table, column: str) -> tuple[Table, int]:
    """The rows whose text is not empty, and how many others there are.

    Raises:
        UserError: No such column, or none of its rows has a text.
    """
    table.check_columns({"text": [column]})
    numbers = [i for i, text in enumerate(cells(table, column)) if text.strip()]
    if not numbers:
        raise UserError(f"{table.path}: the column '{column}' is empty in every row")
    rows, lines = [table.rows[i] for i in numbers], [table.lines[i] for i in numbers]
    return replace(table, rows=rows, lines=lines), len(table.rows) - len(numbers)
