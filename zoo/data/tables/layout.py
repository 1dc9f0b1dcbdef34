"""How a table lies in its file: what separates cells, and where the header is.

Spreadsheets and other programs write more than a header and rows: `sep=;` first, a title above the
header, separators at the ends of lines, rows without a cell.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from zoo.errors import UserError
from zoo.phrases import plural

DELIMITERS = ",;\t|"
SAMPLE = 200  # rows, to find out what separates cells
TITLES = 10  # rows above the header, at most
LISTED = 3  # examples in a message
_SEPARATOR = re.compile(r'\s*"?sep=(.)"?[\t,;|]*[\r\n]+', re.IGNORECASE)

Row = tuple[int, list[str]]  # the line on which it ends (from 1), its cells


class Layout(NamedTuple):
    """A file's rows, the header first, of equal length."""

    rows: list[Row]
    delimiter: str
    notes: list[str]


def lay_out(text: str, path: str, delimiter: str | None) -> Layout:
    """The rows of a table.

    Args:
        text: Of the file.
        path: For messages.
        delimiter: One character, or `\\t` as typed; None detects it.

    Raises:
        UserError: No rows, rows of unequal length, quotes that are not closed; with the lines.
    """
    notes = []
    if delimiter == "\\t":
        delimiter = "\t"
    if delimiter is not None and len(delimiter) != 1:
        raise UserError(f"data.delimiter={delimiter!r}: expected one character, or null")
    if match := _SEPARATOR.match(text):  # of Excel
        end = len(match[0].rstrip("\r\n"))
        text = " " * end + text[end:]  # lines keep their numbers
        delimiter = delimiter or match[1]
        notes.append(f"its first line, sep={match[1]}, says what separates cells")
    delimiter = delimiter or _find_delimiter(text)
    rows = _read(text, path, delimiter, notes)
    width = Counter(len(cells) for _, cells in rows).most_common(1)[0][0] if rows else 0
    if titles := _titles(rows, width):
        shown = ", ".join(f"'{_joined(cells)}'" for _, cells in rows[: min(titles, LISTED)])
        notes.append(f"{plural(titles, 'line')} above the header left out: {shown}"[:180])
    rows = _without_empty(rows[titles:], notes)
    return Layout(_of_one_length(rows, path, delimiter, notes), delimiter, notes)


def _joined(cells: Sequence[str]) -> str:
    return " ".join(cell.strip() for cell in cells if cell.strip())[:60]


def _read(text: str, path: str, delimiter: str, notes: list[str]) -> list[Row]:
    """All rows. A program that knows no quotes writes `"so` in one row and `ok"` in a later one,
    which would join them: between tabs, quotes are then characters like others.

    Raises:
        UserError: Quotes that are wrong in either reading.
    """
    failed, rows = None, []
    try:
        rows = list(_rows(text, path, delimiter))
    except UserError as error:
        failed = error
    joined = next((line for line, cells in rows if any("\n" in cell for cell in cells)), None)
    if failed or joined:
        plain = list(_rows(text, path, delimiter, quoting=csv.QUOTE_NONE))
        is_table = len(plain[0][1]) > 1 and len({len(cells) for _, cells in plain}) == 1
        is_quoted = any(len(c) > 1 and c[0] == c[-1] == '"' for _, cells in plain for c in cells)
        if is_table and delimiter == "\t" and not is_quoted:
            notes.append("quotes are read as characters: with them, lines would not be rows")
            return plain
        if is_table and not failed:
            notes.append(
                f"the row that ends in line {joined} holds lines that may be rows of their own: "
                "if so, correct the quotes"
            )
    if failed:
        raise failed
    return rows


def _rows(text: str, path: str, delimiter: str, **form: Any) -> Iterator[Row]:
    """Rows, the cells in quotes; `form` as `csv.reader` has it."""
    form = {"strict": True} | form
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, **form)
    start = 1
    try:
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                yield reader.line_num, row
            start = reader.line_num + 1
    except csv.Error as error:
        where = f"line {reader.line_num}"
        if reader.line_num > start:
            where = f"the row that begins in line {start}"
        what = str(error).replace("\t", "tab")
        raise UserError(f"{path}, {where}: {what}; correct the quotes") from error


def _find_delimiter(text: str) -> str:
    """The character that the first line has most of, if rows are then as long as that one; else
    the one that gives most rows the same length."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    usual = max(DELIMITERS, key=first.count)
    fits = {}
    for delimiter in sorted(DELIMITERS, key=lambda d: d != usual):  # the usual one wins ties
        rows = [len(row) for _, row in islice(_sample(text, delimiter), SAMPLE)]
        width, count = Counter(rows).most_common(1)[0] if rows else (1, 0)
        if delimiter == usual and width > 1 and count == len(rows):
            return usual
        fits[delimiter] = (count / max(1, len(rows)) if width > 1 else 0.0, width)
    best = max(fits, key=lambda d: fits[d])
    return best if fits[best][0] > max(0.8, fits[usual][0]) else usual


def _sample(text: str, delimiter: str) -> Iterator[Row]:
    try:
        yield from _rows(text, "", delimiter, strict=False)
    except UserError:
        return


def _titles(rows: Sequence[Row], width: int) -> int:
    """How many rows above the header are none: much shorter than the table, or nearly empty."""
    if width < 2:
        return 0
    for number, (_, cells) in enumerate(rows[: TITLES + 1]):
        filled = sum(bool(cell.strip()) for cell in cells)
        if len(cells) > max(1, width // 2) and not (len(cells) == width >= 3 and filled <= 1):
            is_header = all(cell.strip() and not _is_number(cell) for cell in cells)
            return number if is_header and len(cells) == width else 0
    return 0


def _is_number(cell: str) -> bool:
    return cell.strip().lstrip("+-")[:1].isdigit()


def _without_empty(rows: list[Row], notes: list[str]) -> list[Row]:
    """Rows with something in them: spreadsheets add rows of separators."""
    kept = [row for row in rows if len(row[1]) < 2 or any(cell.strip() for cell in row[1])]
    if empty := len(rows) - len(kept):
        notes.append(f"{plural(empty, 'empty row')} left out")
    return kept


def _of_one_length(rows: list[Row], path: str, delimiter: str, notes: list[str]) -> list[Row]:
    if not rows:
        return rows
    (line, header), body = rows[0], rows[1:]
    if body and all(len(cells) == len(header) + 1 for _, cells in body):
        if not any(cells[-1].strip() for _, cells in body):
            notes.append("rows end with a separator, the header does not: that cell is left out")
            return [rows[0], *((line, cells[:-1]) for line, cells in body)]
        names = [cells[0] for _, cells in body]
        if len(set(names)) == len(names) and len(names) > 1:
            notes.append("the header has a name less than rows have cells: the first is the row's")
            return [(line, ["", *header]), *body]
    wrong = [(line, len(cells)) for line, cells in body if len(cells) != len(header)]
    if wrong:
        raise UserError(
            f"{path}, line {wrong[0][0]}: {plural(wrong[0][1], 'cell')}, expected {len(header)} as "
            f"in the header{_further(wrong[1:])}; correct the lines (cells are separated by "
            f"{delimiter!r}; or set data.delimiter)"
        )
    return rows


def _further(wrong: Sequence[tuple[int, int]]) -> str:
    """Further lines of another length."""
    if not wrong:
        return ""
    shown = ", ".join(f"{line} ({count})" for line, count in wrong[:LISTED])
    more = f" and {len(wrong) - LISTED:,} more" if len(wrong) > LISTED else ""
    return f"; so are the lines {shown}{more}"
