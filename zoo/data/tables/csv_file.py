"""A CSV file as texts by column, with every flaw named by its line."""

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from zoo.data.paths import not_found
from zoo.errors import UserError

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

    def texts(self, name: str) -> list[str | None]:
        """A column as texts, None where missing."""
        at = self.header.index(name)
        return [None if is_missing(row[at]) else row[at].strip() for row in self.rows]

    def numbers(self, name: str, otherwise: str | None = None) -> Tensor:
        """A column as float64 (N,), NaN where missing.

        Args:
            name: The column.
            otherwise: The option that would allow texts there, for the message.

        Raises:
            UserError: A text that is neither missing nor a number, with its line.
        """
        at = self.header.index(name)
        values = []
        for row, line in zip(self.rows, self.lines, strict=True):
            value = math.nan if is_missing(row[at]) else parse_number(row[at])
            if value is None:
                fix = f"mend it, or {otherwise}" if otherwise else "mend it, or leave it empty"
                raise UserError(
                    f"{self.path}, line {line}: '{row[at].strip()}' in the column '{name}' is not "
                    f"a finite number; {fix}"
                )
            values.append(value)
        return torch.tensor(values, dtype=torch.float64)


def read_csv(path: str | Path, delimiter: str | None = None) -> Table:
    """Read a UTF-8 CSV file with a header line.

    Args:
        path: The file.
        delimiter: One character; None finds out which of `,` `;` tab `|` the header uses.

    A column without a name (pandas writes its index so) is called by its place, "column 1".

    Raises:
        UserError: No such file, not UTF-8, empty, a duplicate name in the header, a row of another
            length than the header; with the line.
    """
    text = _text(Path(path))
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise UserError(f"{path}: the file is empty; expected a header line, then one line a row")
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
        raise UserError(f"{path}, line {reader.line_num}: {error}; mend the quotes") from error
    header = [name.strip() or f"column {at}" for at, name in enumerate(rows[0], start=1)]
    _check_header(path, header, lines[0])
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(header):
            raise UserError(
                f"{path}, line {line}: {len(row)} cells, expected {len(header)} as in the header; "
                f"mend the line (cells are separated by {delimiter!r}; or set data.delimiter)"
            )
    if len(rows) == 1:
        raise UserError(f"{path}: there are no rows below the header")
    return Table(str(path), header, rows[1:], lines[1:])


def _text(path: Path) -> str:
    if path.is_dir():
        inside = sorted(p.name for p in path.glob("*.csv"))
        hint = f", e.g. {path / inside[0]}" if inside else ""
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
    for at, name in enumerate(header):
        if name in header[:at]:
            raise UserError(f"{path}, line {line}: the column '{name}' is there twice; rename one")
