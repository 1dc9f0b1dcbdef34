"""How a table's row becomes model input: standardised numbers, one column per category.

Shapes: N rows, D encoded features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.encoding import ENCODINGS, from_fields
from zoo.data.tables.column import Column, Raw
from zoo.data.tables.csv_file import Table
from zoo.data.tables.input import read_input
from zoo.data.tables.numbers import Notation
from zoo.data.tables.reading import PLAIN, Reading, read_numbers
from zoo.data.tables.values import as_json
from zoo.data.tables.words import MAX_WORDS, words_of
from zoo.errors import UserError, closest_match
from zoo.phrases import part_of

KINDS = ("classification", "regression", "multi_label")


@dataclass(frozen=True)
class FileForm:
    """How the cells of a table's file are read.

    Attributes:
        delimiter: Between cells.
        readings: Of the columns of numbers that are not plain ones, by name.
        notations: Of the targets' numbers.
        separator: Between the labels of a cell; empty where each label has a column.
        texts: Names of the columns of free text.
        max_words: Features of each of these, at most.
    """

    delimiter: str | None = None
    readings: Mapping[str, Reading] = field(default_factory=dict)
    notations: tuple[Notation, ...] = ()
    separator: str = ""
    texts: tuple[str, ...] = ()
    max_words: int = MAX_WORDS


PLAIN_FORM = FileForm()


@dataclass(frozen=True)
class Target:
    """The target: a class or labels by name, or a number standardised on the training rows.

    Labels are texts of one cell with a `separator`, or the names of columns of 0 and 1.
    """

    name: str
    kind: str
    class_names: tuple[str, ...] = ()
    mean: float = 0.0
    std: float = 1.0
    notation: Notation = field(default_factory=Notation)
    separator: str = ""

    @property
    def columns(self) -> list[str]:
        """Its names in the header."""
        is_many = self.kind == "multi_label" and not self.separator
        return list(self.class_names) if is_many else [self.name]


@ENCODINGS.register("table")
@dataclass(frozen=True)
class TableEncoding:
    """Rows of a table to float32 (N, D); rows are stored encoded, so `prepare` does nothing."""

    kind: ClassVar[str] = "table"
    holds: ClassVar[str] = "tables"
    tokenizer: ClassVar[None] = None
    runtime_facts: ClassVar[dict[str, Any]] = {}
    columns: tuple[Column, ...]
    target: Target
    delimiter: str | None = None
    others: tuple[Target, ...] = ()  # further targets, of a regression of several

    @property
    def targets(self) -> tuple[Target, ...]:
        """All that is predicted, in the order of the model's outputs."""
        return (self.target, *self.others)

    @property
    def target_columns(self) -> list[str]:
        """The names in the header of what is predicted."""
        return [name for target in self.targets for name in target.columns]

    @classmethod
    def fit(
        cls,
        raw: Raw,
        train: Tensor,
        targets: Sequence[Target],
        form: FileForm = PLAIN_FORM,
    ) -> "TableEncoding":
        """Fit each column on the rows `train` (int64)."""
        how = form.readings
        columns = tuple(
            Column.fit_text(name, values, train, form.max_words)
            if name in form.texts and not isinstance(values, Tensor)
            else Column.fit(name, values, train, how.get(name, PLAIN))
            for name, values in raw.items()
        )
        return cls(columns, targets[0], form.delimiter, tuple(targets[1:]))

    @property
    def feature_names(self) -> list[str]:
        """Names of the D encoded features."""
        return [feature for column in self.columns for feature in column.features]

    @property
    def feature_groups(self) -> dict[str, list[int]]:
        """Which of the D features each column of the file became."""
        groups: dict[str, list[int]] = {}
        start = 0
        for column in self.columns:
            stop = start + len(column.features)
            groups.setdefault(column.source, []).extend(range(start, stop))
            start = stop
        return groups

    def encode(self, raw: Raw) -> Tensor:
        """Float32 (N, D) from columns by name."""
        missing = [column.name for column in self.columns if column.name not in raw]
        if missing:
            raise _column_missing(missing, "the data", list(raw))
        return torch.cat(
            [column.encode(raw[column.name]).float() for column in self.columns], dim=1
        )

    def parse(self, table: Table, notes: list[str] | None = None) -> Raw:
        """The columns that this encoding was fitted on, from a table of texts.

        Args:
            table: The rows.
            notes: Lines are added on what the training rows had not.

        Raises:
            UserError: Columns are missing, or texts are not numbers (with line and column).
        """
        sources = dict.fromkeys(column.source for column in self.columns)
        missing = [name for name in sources if name not in table.header]
        if missing:
            raise _column_missing(missing, table.path, table.header)
        problems: list[str] = []
        raw = {
            column.name: read_numbers(table, column.name, column.reading, problems=problems)
            if column.kind == "numeric"
            else table.texts(column.name)
            for column in self.columns
        }
        if problems:
            raise UserError(f"{table.path}, {'; '.join(problems)}")
        if notes is not None:
            notes += self._unseen(raw)
        return raw

    def _unseen(self, raw: Raw) -> list[str]:
        """Lines on categories and gaps that the training rows had not."""
        notes = []
        for column in self.columns:
            values = raw[column.name]
            if isinstance(values, Tensor):
                gaps = int(values.isnan().sum())
                if gaps and not column.indicator and column.reading.part in ("", "elapsed"):
                    median = "" if column.reading.date else f" {column.median:g}"
                    notes.append(
                        f"column '{column.source}' is missing in "
                        f"{part_of(gaps, len(values), 'row')}, in training in none: the "
                        f"median{median} is taken"
                    )
                continue
            if column.kind == "text":
                notes += _unknown_words(column, values)
                continue
            texts = [text for text in values if text is not None]
            unseen = [text for text in texts if text not in column.categories]
            if unseen:
                guess = closest_match(unseen[0], column.categories)
                known = ", ".join(column.categories[:5])
                hint = f"; did you mean '{guess}'?" if guess else f" (there: {known})"
                notes.append(
                    f"column '{column.name}': '{unseen[0]}' is not among the training data's "
                    f"categories, so 'other' is taken in "
                    f"{part_of(len(unseen), len(values), 'row')}{hint}"
                )
        return notes

    def prepare(self, batch: Batch) -> Batch:
        """Rows are stored as the model takes them."""
        return batch

    def read(self, path: str) -> tuple[list[str], Batch]:
        """As `read_noted`, without the notes."""
        names, batch, _ = self.read_noted(path)
        return names, batch

    def read_noted(self, path: str) -> tuple[list[str], Batch, list[str]]:
        """Names and encoded rows of an input, and what was understood in a particular way.

        The input is a CSV or JSON file, `-` for one from the standard input, or a row written as
        `name=value,name=value` or as JSON. It needs the columns that the run was trained on;
        others, the target among them, are ignored.
        """
        known = {
            column.source: column.categories if column.kind == "categorical" else None
            for column in self.columns
        }
        table, names = read_input(path, self.delimiter, known)
        notes = list(table.notes)
        rows = self.encode(self.parse(table, notes))
        if not names:
            return [f"{path}:{line}" for line in table.lines], {"input": rows}, notes
        if unused := [n for n in table.header if n not in (*known, *self.target_columns)]:
            listed = ", ".join(f"'{name}'" for name in unused)
            notes.append(f"not used, the run was not trained on it: {listed}")
        return names, {"input": rows}, notes

    def read_value(self, value: Any) -> tuple[list[str], Batch, list[str]]:
        """As `read_noted`, of a row or rows of Python: `zoo.data.tables.values.as_json`."""
        return self.read_noted(as_json(value))

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding."""
        columns = [_fields(c) | {"categories": list(c.categories)} for c in self.columns]
        first, *others = (_fields(t) | {"class_names": list(t.class_names)} for t in self.targets)
        content: dict[str, Any] = {"kind": self.kind, "columns": columns, "target": first}
        content["delimiter"] = self.delimiter
        return content | ({"others": others} if others else {})

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> "TableEncoding":
        """The inverse of `to_json`; older runs have plain numbers only."""
        parts, delimiter = json["columns"], json["delimiter"]
        if not isinstance(parts, list) or not isinstance(delimiter, str | None):
            raise ValueError("expected a list of columns, and a text or null as delimiter")
        columns = tuple(
            from_fields(Column, part, f"columns[{number}]") for number, part in enumerate(parts)
        )
        if any(column.kind not in ("numeric", "categorical", "text") for column in columns):
            raise ValueError("columns: expected numbers, categories or texts")
        further = json.get("others", [])
        if not isinstance(further, list):
            raise ValueError("others: expected a list of targets")
        targets = [from_fields(Target, part, "target") for part in (json["target"], *further)]
        kinds = [target.kind for target in targets]
        if wrong := [kind for kind in kinds if kind not in KINDS]:
            raise ValueError(f"target.kind is '{wrong[0]}'")
        if len(targets) > 1 and set(kinds) != {"regression"}:
            raise ValueError(f"others: expected targets of a regression, got {kinds}")
        return cls(columns, targets[0], delimiter, tuple(targets[1:]))


def _fields(part: Column | Target) -> dict[str, Any]:
    """As JSON, without what is plain."""
    plain = {"reading": PLAIN, "notation": Notation(), "separator": "", "words": (), "weights": ()}
    return {n: v for n, v in asdict(part).items() if n not in plain or getattr(part, n) != plain[n]}


def _unknown_words(column: Column, texts: Sequence[str | None]) -> list[str]:
    """A note where texts have no word that the training rows had."""
    known = set(column.words)
    strange = [text for text in texts if text and known.isdisjoint(words_of(text))]
    if not strange:
        return []
    return [
        f"column '{column.name}': the run knows no word of "
        f"{part_of(len(strange), len(texts), 'text')} ('{strange[0][:40]}')"
    ]


def _column_missing(missing: Sequence[str], where: str, present: Sequence[str]) -> UserError:
    guess = closest_match(missing[0], present)
    hint = f"; did you rename it to '{guess}'?" if guess else ""
    names = ", ".join(f"'{name}'" for name in missing[:5]) + (" ..." if len(missing) > 5 else "")
    word, verb = ("column", "is") if len(missing) == 1 else ("columns", "are")
    return UserError(
        f"{where}: the {word} {names} that the run was trained on {verb} missing{hint} "
        f"(there are: {', '.join(present)})"
    )
