"""Rows to predict: of a CSV or JSON file, of the standard input, or typed."""

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from zoo.data.charset import read_text
from zoo.data.json_text import parse_json
from zoo.data.paths import exists
from zoo.data.tables.csv_file import Table, parse_csv, read_csv
from zoo.data.tables.numbers import Exact
from zoo.errors import UserError
from zoo.files import user_path

JSON_NAMES = (".json", ".jsonl", ".ndjson")
LONGEST = 250  # characters that are still plausibly a path
Known = Mapping[str, Sequence[str] | None]  # the run's columns: categories, None for numbers


def read_input(text: str, delimiter: str | None, known: Known) -> tuple[Table, list[str]]:
    """A table of rows to predict, and a name for each; no names for those of a file.

    Args:
        text: A file, `-` for the standard input, `name=value,name=value`, JSON with named values.
        delimiter: Of CSV; None detects it.
        known: The columns that the run needs.

    Raises:
        UserError: None of these, or values of another kind.
    """
    if text == "-":
        content = sys.stdin.read()
        if not content.strip():
            raise UserError("input=-: the standard input is empty; expected CSV with a header")
        return _of_content(content, "-", delimiter, known), []
    if not text.strip():
        raise UserError("input= is empty; expected a CSV file or name=value,name=value")
    if not exists(text):
        if text.lstrip().startswith(("{", "[")):
            table = of_json(text, "input", known)
            many = len(table.rows) > 1
            return table, [f"input:{n}" for n in table.lines] if many else [text]
        if "=" in text:
            return _of_row(text, known), [text]
        if len(text) > LONGEST:
            raise UserError(f"input={text[:60]!r}...: expected a CSV file or name=value,name=value")
    path = user_path(text)
    if path.suffix.lower() in JSON_NAMES:
        content, notes = read_text(path)
        table = of_json(content, text, known)
        table.notes.extend(notes)
        return table, []
    return read_csv(text, delimiter), []


def _of_content(content: str, path: str, delimiter: str | None, known: Known) -> Table:
    if content.lstrip().startswith(("{", "[")):
        return of_json(content, path, known)
    first = content.lstrip().splitlines()[0]
    if all(f"{name}=" in first.replace(" ", "") for name in map(_squeezed, known)):
        lines = [line for line in content.splitlines() if line.strip()]
        tables = [_of_row(line, known) for line in lines]
        for number, table in enumerate(tables, start=1):
            if table.header != tables[0].header:
                raise UserError(f"{path}, line {number}: other names than in the first line")
        rows = [table.rows[0] for table in tables]
        return Table(path, tables[0].header, rows, list(range(1, len(rows) + 1)))
    return parse_csv(content, path, delimiter)


def _squeezed(name: str) -> str:
    return name.replace(" ", "")


def _of_row(text: str, known: Known) -> Table:
    """`temperature=30,humidity=80` as a table of one row; a comma may be part of a value."""
    names = sorted(map(re.escape, known), key=len, reverse=True)
    begin = re.compile(rf"(?:^|,)\s*({'|'.join([*names, '[^,=]+?'])})\s*=")
    found = list(begin.finditer(text))
    if not found or found[0].start() != 0:
        shown = text if len(text) < 80 else f"{text[:60]}..."
        raise UserError(f"input={shown!r}: expected a CSV file or name=value,name=value")
    ends = [match.start() for match in found[1:]] + [len(text)]
    header = [match[1].strip() for match in found]
    values = [text[m.end() : end].strip() for m, end in zip(found, ends, strict=True)]
    if doubled := next((name for name in header if header.count(name) > 1), None):
        raise UserError(f"input: '{doubled}' is given twice; give each column one value")
    return Table("input", header, [[_unquoted(value).rstrip(",") for value in values]], [1])


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def of_json(text: str, path: str, known: Known) -> Table:
    """A table of JSON rows: one object, a list of them, or one a line."""
    rows = _objects(text, path)
    header = list(dict.fromkeys(key for row in rows for key in row))
    for number, row in enumerate(rows, start=1):
        missing = [name for name in known if name in header and name not in row]
        if missing:
            raise UserError(f"{path}, row {number}: '{missing[0]}' is missing; null is allowed")
    cells = [
        [
            _cell(row.get(name), f"{path}, row {number}: '{name}'", known.get(name))
            for name in header
        ]
        for number, row in enumerate(rows, start=1)
    ]
    return Table(path, header, cells, list(range(1, len(rows) + 1)))


def _objects(text: str, path: str) -> list[dict[str, Any]]:
    try:
        rows = parse_json(text, path, "row")
    except (ValueError, RecursionError):
        try:
            lines = [line for line in re.split("[\r\n]+", text) if line.strip()]
            rows = [parse_json(line, f"{path}, row {n}") for n, line in enumerate(lines, start=1)]
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}: not JSON: {error}") from None
    rows = rows if isinstance(rows, list) else [rows]
    wrong = next((row for row in rows if not isinstance(row, dict)), None)
    if wrong is not None or not rows or not all(rows):
        raise UserError(f'{path}: expected JSON rows that name their values: {{"age": 30, ...}}')
    return rows


def _cell(value: Any, where: str, categories: Sequence[str] | None) -> str:
    """A value as the text that a CSV file has."""
    if value is None:
        return ""
    if isinstance(value, bool):
        word = str(value).lower()
        same = [text for text in categories or () if text.casefold() == word]
        return same[0] if len(same) == 1 else word
    if isinstance(value, int | float):
        text = str(value)
        if text not in (categories or ()) and float(value).is_integer() and abs(value) < 1e15:
            text = str(int(value))
        return Exact(text)
    if isinstance(value, str):
        return value
    raise UserError(f"{where} is a {type(value).__name__}, expected a number, a text or null")
