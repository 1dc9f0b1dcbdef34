"""Which columns of a CSV file a model learns from, and as what: numbers, dates, categories.

Shapes: N rows.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from zoo.data.contents import LEFT_OUT, Content
from zoo.data.names import note_alike
from zoo.data.tables.csv_file import Table, column_option, parse_number
from zoo.data.tables.dates import find_order, is_no_date, parts_of
from zoo.data.tables.described import describe_dates, describe_numbers, describe_texts
from zoo.data.tables.numbers import decimal_signs, find_notation, is_no_number, looks_numeric
from zoo.data.tables.reading import (
    PLAIN,
    Reading,
    is_numeric,
    is_plain,
    lost_digits,
    read_numbers,
    usual_decimal,
)
from zoo.data.tables.target import FEW, starts_with_zero
from zoo.data.tables.words import is_free_text, words_of
from zoo.errors import UserError
from zoo.phrases import plural

MANY = 1000  # distinct texts that are no categories in a table of any size
MAX_NOTES = 12
CODE_FRACTION = 0.05  # a column with at least this fraction of leading zeros holds codes
_UNNAMED = re.compile(r"column 1|Unnamed: 0(\.\d+)?")  # the first, by `parse_csv`, by pandas
_ID = re.compile(r"(?i:(.*[^a-z])?(ids?|uid|uuid|guid|index|编号|序号))|.*[a-z]I[Dd]")


@dataclass
class Columns:
    """Columns to learn from.

    Attributes:
        raw: Their values by name; a date has several.
        readings: How those are read that are not plain numbers or texts, by name.
        contents: How each column was understood, those that are left out among them.
        texts: Names of those that are free text.
        notes: What is worth a look.
        problems: What keeps the file from being read.
    """

    raw: dict[str, Any] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    contents: list[Content] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def leave_out(self, name: str, why: str) -> None:
        """A column that says nothing, or nothing that a model could use."""
        self.contents.append(Content(name, LEFT_OUT, why))


def read_columns(
    table: Table, names: list[str], numeric: set[str], categorical: set[str], texts: set[str]
) -> Columns:
    """The columns to learn from, as numbers or texts, and how they are read.

    Args:
        table: The file.
        names: The columns to consider.
        numeric, categorical, texts: Those whose kind is set; of the others it is detected.

    Raises:
        UserError: All texts in numeric columns (with their lines), no column at all.
    """
    set_to = {"numeric": numeric, "categorical": categorical, "texts": texts}
    _check_once(set_to)
    columns, decimal = Columns(), usual_decimal(table)
    for name in names:
        cells = table.texts(name)
        known = [text for text in cells if text is not None]
        is_set = any(name in chosen for chosen in set_to.values())
        if len(set(cells)) == 1:
            columns.leave_out(name, "empty" if not known else f"'{known[0]}' in every row")
        elif name in texts:
            _add_text(columns, name, cells)
        elif name in numeric or (not is_set and _is_quantity(known)):
            _add_numbers(columns, table, name, decimal, is_set)
        elif not is_set and (found := _order(known)):
            _add_dates(columns, table, name, *found)
        else:
            _add_categories(columns, name, cells, is_set)
    if columns.problems:
        raise UserError(f"{table.path}, {_joined(columns.problems)}")
    if more := len(columns.notes) - MAX_NOTES:
        columns.notes[MAX_NOTES:] = [f"{plural(more, 'further note')} on columns"] * (more > 0)
    if not columns.raw:
        left_out = [f"column '{name}' left out: {why}" for name, _, why in columns.contents]
        reasons = "; ".join(left_out) or "data.columns and data.drop name none but the target"
        raise UserError(f"{table.path}: no column is left to learn from; {reasons}")
    return columns


def _check_once(set_to: Mapping[str, set[str]]) -> None:
    """Refuse a column whose kind is set twice."""
    for (first, names), (second, others) in itertools.combinations(set_to.items(), 2):
        if both := sorted(names & others):
            raise UserError(f"data.{first} and data.{second} both name '{both[0]}'; keep one")


def _is_quantity(known: Sequence[str]) -> bool:
    """Whether a column holds numbers that count or measure, and no codes such as 04109."""
    if not is_plain(known) and not is_numeric(known):
        return False
    codes = sum(map(starts_with_zero, known))
    widths = {len(text) for text in known if text.isdigit()}
    return not codes or (len(widths) > 1 and codes < CODE_FRACTION * len(known))


def _order(known: Sequence[str]) -> tuple[str, bool] | None:
    dated = [text for text in known if not is_no_date(text)]
    return find_order(dated) if dated else None


def _add_numbers(
    columns: Columns, table: Table, name: str, decimal: tuple[str, bool], is_set: bool
) -> None:
    cells = [cell.strip() for cell in table.cells(name)]
    known = [cell for cell in cells if not is_no_number(cell)]
    try:
        reading = _reading(known, *decimal)
    except ValueError as error:
        columns.problems.append(
            f"the column '{name}': {error}; write all alike, or {column_option('drop', name)}"
        )
        return
    values = read_numbers(
        table, name, reading, column_option("categorical", name), columns.problems
    )
    if not is_set and (why := _why_index(name, values)):
        columns.leave_out(name, f"{why}; {column_option('numeric', name)} keeps it")
        return
    columns.raw[name] = values
    about = describe_numbers(values)
    if reading != PLAIN:
        columns.readings[name] = reading
    if reading is not PLAIN:  # in the notation of most columns, (3) is read as -3 though
        parse = reading.notation.parse
        differently = (cell for cell in known if parse(cell) not in (None, parse_number(cell)))
        if example := next(differently, None):
            about += f"; '{example}' = {parse(example):g}"
    columns.contents.append(Content(name, "number", about))
    if lost := lost_digits(cells, values):
        columns.notes.append(f"column '{name}': {lost}; if an id, {column_option('drop', name)}")
    elif not is_set and _looks_like_id(name, values):
        columns.notes.append(
            f"column '{name}': another whole number in each row; if an id, "
            f"{column_option('drop', name)}"
        )


def _reading(known: Sequence[str], usual: str, is_proven: bool) -> Reading:
    """Plain where Python reads the numbers, but for 1.234 in a file of decimal commas."""
    if all(parse_number(text) is not None for text in known):
        may_group = usual == "," and is_proven and set(decimal_signs(known[:1000])) == {"?"}
        if not may_group or set(decimal_signs(known)) != {"?"}:
            return PLAIN
    return Reading(notation=find_notation(known, usual))


def _why_index(name: str, values: Tensor) -> str:
    """Why a column is the place of a row and says nothing of it; empty where it may say something.

    Rows that were shuffled keep their numbers in pandas' index, a column without a name: of a file
    that was sorted by the target they would tell it.
    """
    if len(values) > FEW and bool((values.diff() == 1).all()):
        return "counts the rows"
    if _UNNAMED.fullmatch(name) and _numbers_rows(values):
        return "has no name, and another whole number in each row, as an index has"
    return ""


def _numbers_rows(values: Tensor) -> bool:
    is_whole = len(values) > FEW and bool((values == values.round()).all())
    return is_whole and len(values.unique()) == len(values)


def _looks_like_id(name: str, values: Tensor) -> bool:
    is_ascending = bool((values.diff() > 0).all())
    return (is_ascending or _ID.fullmatch(name) is not None) and _numbers_rows(values)


def _add_dates(columns: Columns, table: Table, name: str, order: str, ambiguous: bool) -> None:
    for part in parts_of(order):
        reading = Reading(source=name, date=order, part=part)
        values = read_numbers(
            table, name, reading, column_option("categorical", name), columns.problems
        )
        known = values[~values.isnan()]
        if part != "elapsed" and not len(known.unique()) > 1:
            continue
        key = f"{name} {part}"
        while key in table.header or key in columns.raw:
            key += "'"
        columns.raw[key], columns.readings[key] = values, reading
    columns.contents.append(Content(name, "date", describe_dates(table.cells(name), order)))
    if ambiguous:
        columns.notes.append(
            f"column '{name}': dates read as month/day/year, though day/month/year fits as well; "
            "if so, write them as 2024-12-31"
        )


def _add_categories(columns: Columns, name: str, texts: Sequence[str | None], is_set: bool) -> None:
    known = [text for text in texts if text is not None]
    distinct = set(known)
    is_many = len(distinct) > MANY or (len(distinct) > FEW and 2 * len(distinct) > len(known))
    mixed = "" if is_set else _mixed(known)
    if is_many and not is_set and not mixed and is_free_text(known):
        _add_text(columns, name, texts)
        return
    if is_many and not is_set:
        what = "an id" if len(distinct) == len(known) else "ids or names"
        found = f"{len(distinct):,} texts in {len(known):,} rows ('{known[0][:24]}'), {what}"
        columns.leave_out(name, f"{mixed or found}; {column_option('categorical', name)} keeps it")
        return
    if mixed:
        columns.notes.append(f"column '{name}' is read as categories: {mixed}")
    columns.raw[name] = list(texts)
    columns.contents.append(Content(name, "category", describe_texts(texts)))
    columns.notes += note_alike(distinct, f"column '{name}'", "categories")


def _add_text(columns: Columns, name: str, texts: Sequence[str | None]) -> None:
    known = [text for text in texts if text is not None]
    each = sum(len(words_of(text)) for text in known) / len(known)
    columns.raw[name] = list(texts)
    columns.texts.append(name)
    about = f"{len(set(known)):,} texts, {each:.0f} words each; TF-IDF (data.max_words)"
    columns.contents.append(Content(name, "text", about))


def _mixed(known: Sequence[str]) -> str:
    """What to say of texts of which most are numbers."""
    others = [text for text in known if not looks_numeric(text)]
    if not others or 2 * len(others) > len(known):
        return ""
    number = f"{len(known) - len(others):,} of {len(known):,} cells are numbers"
    return f"{number}, '{others[0][:40]}' is none (empty such cells to read it as numbers)"


def _joined(problems: Sequence[str], limit: int = 6) -> str:
    more = f"; and {plural(len(problems) - limit, 'more column')}" if len(problems) > limit else ""
    return "; ".join(problems[:limit]) + more
