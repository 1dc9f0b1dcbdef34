"""How the cells of a column become numbers: a notation, or a part of a date.

Shapes: N rows.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from zoo.data.tables.csv_file import Table, parse_number
from zoo.data.tables.dates import ORDERS, PARTS, date_part, is_no_date
from zoo.data.tables.numbers import Notation, decimal_signs, is_no_number, looks_numeric
from zoo.errors import UserError

NUMERIC_FRACTION = 0.9  # a column with at least this fraction of numbers is numeric
LISTED = 3  # lines that are named in a message
SAMPLE = 1000  # rows that show how a file writes decimals
EXACT = 2**53  # up to here float64 holds each whole number
_WHOLE = re.compile(r"[+-]?\d{1,400}")


@dataclass(frozen=True)
class Reading:
    """How a column of numbers is read.

    Attributes:
        source: The name in the header, where the column is a part of it.
        notation: Of numbers.
        date: How dates are written (`zoo.data.tables.dates.ORDERS`); empty for numbers.
        part: What is taken of a date.
    """

    source: str = ""
    notation: Notation = field(default_factory=Notation)
    date: str = ""
    part: str = ""

    def __post_init__(self) -> None:
        if self.date and (self.date not in ORDERS or self.part not in PARTS):
            raise ValueError(f"date '{self.date}', part '{self.part}': unknown")


PLAIN = Reading()


def read_numbers(
    table: Table,
    name: str,
    reading: Reading = PLAIN,
    otherwise: str | None = None,
    problems: list[str] | None = None,
) -> Tensor:
    """A column as float64 (N,), NaN where missing.

    Args:
        table: The file.
        name: The column.
        reading: How it is read.
        otherwise: The option that allows texts, for the message.
        problems: A line is added where cells are no numbers; None to raise it.

    Raises:
        UserError: Texts that are neither missing nor a number, with their lines.
    """
    source = reading.source or name
    values = _values(table.cells(source), reading)
    wrong = [i for i, value in enumerate(values) if value is None]
    if wrong:
        kind = f"a date written as {reading.date}" if reading.date else "a finite number"
        what = f"in the column '{source}' is not {kind}"
        fix = f"correct it, or {otherwise}" if otherwise else "correct it, or leave it empty"
        problem = f"{listed_cells(table, source, wrong, what)}; {fix}"
        if problems is None:
            raise UserError(f"{table.path}, {problem}")
        if problem not in problems:  # each part of a date finds the same
            problems.append(problem)
    return torch.tensor([math.nan if v is None else v for v in values], dtype=torch.float64)


def _values(cells: Sequence[str], reading: Reading) -> list[float | None]:
    if reading.date:
        texts = [None if is_no_date(cell) else cell for cell in cells]
        return date_part(texts, reading.date, reading.part)
    values = map(reading.notation.parse, cells)
    return [
        math.nan if value is None and is_no_number(cell) else value
        for cell, value in zip(cells, values, strict=True)
    ]


def listed_cells(table: Table, column: str, numbers: Sequence[int], what: str) -> str:
    """`line 3: 'tall' is not a finite number (so are 'x' in line 5 and 7 more)`."""
    cells = table.cells(column)
    first, *others = [(table.lines[i], cells[i].strip()[:40]) for i in numbers]
    shown = ", ".join(f"'{cell}' in line {line}" for line, cell in others[:LISTED])
    if more := len(others) - LISTED:
        shown += f" and {more:,} more" if more > 0 else ""
    further = f" (likewise {shown})" if others else ""
    return f"line {first[0]}: '{first[1]}' {what}{further}"


def lost_digits(cells: Sequence[str], values: Tensor) -> str:
    """`'9007199254740993' is read as 9007199254740992`: the first whole number that float64 does
    not hold; empty where there is none.

    Args:
        cells: N texts.
        values: What was read of them, (N,).
    """
    for row in (values.abs() > EXACT).nonzero()[:, 0].tolist():
        text, value = cells[row].strip(), int(values[row])
        if _WHOLE.fullmatch(text) and int(text) != value:
            return f"'{text}' is read as {value}, since whole numbers above 2**53 lose digits"
    return ""


def mostly(texts: Sequence[str], test: Callable[[str], bool]) -> bool:
    """Whether at least 90 % of the texts pass a test."""
    return sum(map(test, texts)) >= NUMERIC_FRACTION * len(texts)


def is_plain(texts: Sequence[str]) -> bool:
    """Whether these are numbers as programs write them."""
    return mostly(texts, lambda text: parse_number(text) is not None)


def is_numeric(texts: Sequence[str]) -> bool:
    """Whether these are numbers in some notation, where they are not missing."""
    known = [text for text in texts if not is_no_number(text)]
    return bool(known) and mostly(known, looks_numeric)


def usual_decimal(table: Table) -> tuple[str, bool]:
    """The decimal sign of a file, and whether cells prove it; if none do, a comma goes with `;`."""
    signs: Counter[str] = Counter()
    for position in range(len(table.header)):
        texts = [row[position].strip() for row in table.rows[:SAMPLE] if row[position].strip()]
        if is_numeric(texts):
            signs += decimal_signs(texts)
    if signs["."] != signs[","]:
        return max(".,", key=lambda sign: signs[sign]), True
    return "," if table.delimiter == ";" else ".", False
