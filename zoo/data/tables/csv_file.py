"""A CSV file as texts by column; errors name the line."""

import csv
import json
import math
import re
import shlex
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.data.charset import read_text
from zoo.data.paths import exists
from zoo.data.tables.layout import lay_out
from zoo.errors import UserError, unknown_name
from zoo.files import user_path

csv.field_size_limit(2**31 - 1)  # a cell may hold a whole text
MISSING = {"", "na", "n/a", "nan", "null", "?"}
INVISIBLE = "\ufeff\u200b\u200e\u2060"  # what files that were joined or copied have in names
_JSON = re.compile(r'\s*(\[\s*)?\{\s*["}]')
_MARKUP = re.compile(r"\s*<(!doctype|html|table|\?xml)", re.IGNORECASE)


def is_missing(text: str) -> bool:
    """Whether a cell counts as missing: empty, NA, N/A, NaN, null or ?."""
    return text.strip().lower() in MISSING


def column_option(option: str, name: str) -> str:
    """`data.drop=[id]` as it is typed, quoted where the name needs it."""
    if re.fullmatch(r"[\w.-]+", name):
        return f"data.{option}=[{name}]"
    return shlex.quote(f"data.{option}=[{json.dumps(name, ensure_ascii=False)}]")


def parse_number(text: str) -> float | None:
    """A finite number, or None when the text is not one."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


@dataclass(frozen=True)
class Table:
    """A header, rows of texts, and the line of the file on which each row ends (from 1).

    Attributes:
        delimiter: What separates cells.
        notes: What was understood in a particular way.
    """

    path: str
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    delimiter: str = ","
    notes: list[str] = field(default_factory=list)

    def check_columns(self, options: Mapping[str, Sequence[str] | None]) -> None:
        """Refuse names of columns that do not exist.

        Args:
            options: Names of columns by the option of `data` that gives them.

        Raises:
            UserError: All unknown columns, each with its option and the nearest name.
        """
        problems = [
            f"data.{option}: {unknown_name('column', name, self.header)}"
            for option, names in options.items()
            for name in names or []
            if name not in self.header
        ]
        if problems:
            hint = ""
            if sum(parse_number(name) is not None for name in self.header) * 2 > len(self.header):
                hint = "; the first line holds numbers: if the header is missing, add one"
            elif len(self.header) == 1:
                hint = f"; cells are separated by {self.delimiter!r}: if not, set data.delimiter"
            raise UserError(f"{self.path}: {'; '.join(problems)}{hint}")

    def cells(self, name: str) -> list[str]:
        """A column as it is written."""
        position = self.header.index(name)
        return [row[position] for row in self.rows]

    def texts(self, name: str) -> list[str | None]:
        """A column as texts, None where missing."""
        return [None if is_missing(cell) else cell.strip() for cell in self.cells(name)]


def read_csv(path: str | Path, delimiter: str | None = None) -> Table:
    """Read a CSV file with a header line: in any usual encoding, perhaps compressed.

    Args:
        path: The file.
        delimiter: One character; None detects which of `,` `;` tab `|` the header uses.

    A column without a name (as pandas writes its index) is named by its position, "column 1".

    Raises:
        UserError: No such file, no text, empty, a duplicate name in the header, rows of another
            length than the header; with the lines.
    """
    path = user_path(path)
    if exists(path) and path.is_dir():
        tables = sorted(p.name for p in path.glob("*.csv*"))
        hint = f", e.g. {path / tables[0]}" if tables else ""
        raise UserError(f"{path}: this is a folder; expected a CSV file{hint}")
    text, notes = read_text(path)
    return parse_csv(text, str(path), delimiter, notes)


def parse_csv(
    text: str, path: str, delimiter: str | None = None, notes: Sequence[str] = ()
) -> Table:
    """A table from the text of a CSV file; as `read_csv`.

    Args:
        text: Of the file.
        path: Its name, for messages.
        delimiter: One character; None detects it.
        notes: What is said of the file already.
    """
    if not text.strip():
        raise UserError(f"{path}: the file is empty; expected a header line, then one line per row")
    if _JSON.match(text) or _MARKUP.match(text):
        kind = "JSON" if _JSON.match(text) else "HTML or XML"
        raise UserError(f"{path}: this is {kind}; expected CSV: a header line, then a line per row")
    layout = lay_out(text, path, delimiter)
    if not layout.rows:
        raise UserError(f"{path}: the file is empty; expected a header line, then one line per row")
    (line, names), rows = layout.rows[0], layout.rows[1:]
    plain = (name.strip().strip(INVISIBLE).strip() for name in names)
    header = [name or f"column {i}" for i, name in enumerate(plain, start=1)]
    if doubled := _doubled(header):
        raise UserError(f"{path}, line {line}: {'; '.join(doubled[:5])}; rename one")
    if not rows:
        raise UserError(f"{path}: there are no rows below the header")
    return Table(
        path,
        header,
        [cells for _, cells in rows],
        [line for line, _ in rows],
        layout.delimiter,
        [*notes, *(f"{Path(path).name}: {note}" for note in layout.notes)],
    )


def _doubled(header: Sequence[str]) -> list[str]:
    """What to say of names that are the same to a reader: `é` is one character, or two."""
    groups: dict[str, list[str]] = {}
    for name in header:
        look = " ".join(unicodedata.normalize("NFC", name).split())
        groups.setdefault(look, []).append(name)
    how = ", once with other spaces or characters that look the same"
    return [
        f"two columns are named '{names[0]}'{how if len(set(names)) > 1 else ''}"
        for names in groups.values()
        if len(names) > 1
    ]


def sort_labels(labels: Iterable[str]) -> list[str]:
    """Sorted; as numbers where all are numbers."""
    labels = list(labels)
    values = {label: parse_number(label) for label in labels}
    if None in values.values():
        return sorted(labels)
    return sorted(labels, key=lambda label: (values[label], label))
