"""A CSV file as texts by column; errors name the line."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from zoo.data.paths import not_found
from zoo.errors import UserError, unknown_name
from zoo.files import user_path

csv.field_size_limit(2**31 - 1)  # a cell may hold a whole text
MISSING = {"", "na", "n/a", "nan", "null", "?"}


def is_missing(text: str) -> bool:
    """Whether a cell counts as missing: empty, NA, N/A, NaN, null or ?."""
    return text.strip().lower() in MISSING


def parse_number(text: str) -> float | None:
    """A finite number, or None when the text is not one."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


@dataclass(frozen=True)
class Table:
    """A header, rows of texts, and the line of the file on which each row ends (from 1)."""

    path: str
    header: list[str]
    rows: list[list[str]]
    lines: list[int]

    def check_columns(self, options: Mapping[str, Sequence[str] | None]) -> None:
        """Refuse names of columns that do not exist.

        Args:
            options: Names of columns by the option of `data` that gives them.

        Raises:
            UserError: An unknown column, with its option and the nearest name.
        """
        for option, names in options.items():
            for name in names or []:
                if name not in self.header:
                    problem = unknown_name("column", name, self.header)
                    raise UserError(f"data.{option}: {self.path}: {problem}")

    def texts(self, name: str) -> list[str | None]:
        """A column as texts, None where missing."""
        position = self.header.index(name)
        return [None if is_missing(row[position]) else row[position].strip() for row in self.rows]

    def numbers(self, name: str, otherwise: str | None = None) -> Tensor:
        """A column as float64 (N,), NaN where missing.

        Args:
            name: The column.
            otherwise: The option that allows texts, for the message.

        Raises:
            UserError: A text that is neither missing nor a number, with its line.
        """
        position = self.header.index(name)
        values = []
        for row, line in zip(self.rows, self.lines, strict=True):
            value = math.nan if is_missing(row[position]) else parse_number(row[position])
            if value is None:
                fix = (
                    f"correct it, or {otherwise}" if otherwise else "correct it, or leave it empty"
                )
                raise UserError(
                    f"{self.path}, line {line}: '{row[position].strip()}' in the column '{name}' "
                    f"is not a finite number; {fix}"
                )
            values.append(value)
        return torch.tensor(values, dtype=torch.float64)


def read_csv(path: str | Path, delimiter: str | None = None) -> Table:
    """Read a UTF-8 CSV file with a header line.

    Args:
        path: The file.
        delimiter: One character; None detects which of `,` `;` tab `|` the header uses.

    A column without a name (as pandas writes its index) is named by its position, "column 1".

    Raises:
        UserError: No such file, not UTF-8, empty, a duplicate name in the header, a row of another
            length than the header; with the line.
    """
    text = _text(user_path(path))
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise UserError(f"{path}: the file is empty; expected a header line, then one line per row")
    if delimiter is None:
        delimiter = max(",;\t|", key=first.count)
    elif len(delimiter) != 1:
        raise UserError(f"data.delimiter={delimiter!r}: expected one character, or null")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, lines = [], []
    try:
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: {error}; correct the quotes") from error
    header = [name.strip() or f"column {n}" for n, name in enumerate(rows[0], start=1)]
    _check_header(path, header, lines[0])
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(header):
            raise UserError(
                f"{path}, line {line}: {len(row)} cells, expected {len(header)} as in the header; "
                f"correct the line (cells are separated by {delimiter!r}; or set data.delimiter)"
            )
    if len(rows) == 1:
        raise UserError(f"{path}: there are no rows below the header")
    return Table(str(path), header, rows[1:], lines[1:])


def _text(path: Path) -> str:
    if path.is_dir():
        tables = sorted(p.name for p in path.glob("*.csv"))
        hint = f", e.g. {path / tables[0]}" if tables else ""
        raise UserError(f"{path}: this is a folder; expected a CSV file{hint}")
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise not_found(path) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}, line {line}: not UTF-8 (byte 0x{raw[error.start]:02x} at offset "
            f"{error.start}); save the file as UTF-8"
        ) from error


def _check_header(path: str | Path, header: list[str], line: int) -> None:
    for position, name in enumerate(header):
        if name in header[:position]:
            raise UserError(f"{path}, line {line}: two columns are named '{name}'; rename one")


def sort_labels(labels: Iterable[str]) -> list[str]:
    """Sorted; as numbers where all are numbers."""
    labels = list(labels)
    values = {label: parse_number(label) for label in labels}
    if None in values.values():
        return sorted(labels)
    return sorted(labels, key=lambda label: (values[label], label))
