"""How a table's row becomes model input: standardised numbers, one column per category.

Shapes: N rows, D encoded features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.encoding import ENCODINGS
from zoo.data.tables.csv_file import Table, read_csv
from zoo.errors import UserError, closest_match

Raw = Mapping[str, Tensor | Sequence[str | None]]  # float64 (N,) with NaN, or texts with None


@dataclass(frozen=True)
class Column:
    """One column of the table and what was fitted on its training rows.

    Attributes:
        name: As in the header.
        kind: "numeric" or "categorical".
        median: Replaces a missing number.
        mean, std: Mean and standard deviation of the training rows, after that.
        indicator: Whether a 0/1 feature marks missing numbers.
        categories: The texts of the training rows; each is a 0/1 feature, and so are "other" (a
            text not among them) and "missing".
    """

    name: str
    kind: str
    median: float = 0.0
    mean: float = 0.0
    std: float = 1.0
    indicator: bool = False
    categories: tuple[str, ...] = ()

    @classmethod
    def fit(cls, name: str, values: Tensor | Sequence[str | None], train: Tensor) -> "Column":
        """Fit on the rows `train` (int64) of a column."""
        if not isinstance(values, Tensor):
            texts = {values[row] for row in train.tolist()}
            known = tuple(sorted(text for text in texts if text is not None))
            return cls(name, "categorical", categories=known)
        rows = values[train]
        numbers = rows[~rows.isnan()]
        median = (
            float(numbers.sort()[0][[(len(numbers) - 1) // 2, len(numbers) // 2]].mean())
            if len(numbers)
            else 0.0
        )
        filled = torch.where(rows.isnan(), median, rows)
        mean, std = float(filled.mean()), float(filled.std(correction=0))
        if not std > 1e-12 * max(1.0, abs(mean)):
            std = 1.0
        return cls(name, "numeric", median, mean, std, bool(rows.isnan().any()))

    @property
    def features(self) -> list[str]:
        """Names of the encoded features."""
        if self.kind == "numeric":
            return [self.name] + ([f"{self.name} missing"] if self.indicator else [])
        texts = [f"{self.name}={text}" for text in self.categories]
        return [*texts, f"{self.name} other", f"{self.name} missing"]

    @property
    def scales(self) -> list[list[float]]:
        """Mean and standard deviation by which each encoded feature was standardised."""
        unscaled = [[0.0, 1.0]]
        first = [[self.mean, self.std]] if self.kind == "numeric" else unscaled
        return first + unscaled * (len(self.features) - 1)

    def encode(self, values: Tensor | Sequence[str | None]) -> Tensor:
        """Float64 (N, features)."""
        if isinstance(values, Tensor):
            missing = values.isnan()
            scaled = (torch.where(missing, self.median, values) - self.mean) / self.std
            return torch.stack([scaled, missing.double()] if self.indicator else [scaled], dim=1)
        number = {text: i for i, text in enumerate(self.categories)}
        other = len(number)
        codes = [other + 1 if text is None else number.get(text, other) for text in values]
        codes_tensor = torch.tensor(codes, dtype=torch.long)
        return torch.nn.functional.one_hot(codes_tensor, other + 2).double()


@dataclass(frozen=True)
class Target:
    """The target: classes by name, or a number standardised on the training rows."""

    name: str
    kind: str
    class_names: tuple[str, ...] = ()
    mean: float = 0.0
    std: float = 1.0


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

    @classmethod
    def fit(
        cls, raw: Raw, train: Tensor, target: Target, delimiter: str | None = None
    ) -> "TableEncoding":
        """Fit each column on the rows `train` (int64)."""
        columns = tuple(Column.fit(name, values, train) for name, values in raw.items())
        return cls(columns, target, delimiter)

    @property
    def feature_names(self) -> list[str]:
        """Names of the D encoded features."""
        return [feature for column in self.columns for feature in column.features]

    def encode(self, raw: Raw) -> Tensor:
        """Float32 (N, D) from columns by name."""
        missing = [column.name for column in self.columns if column.name not in raw]
        if missing:
            raise _column_missing(missing, "the data", list(raw))
        encoded = torch.cat([column.encode(raw[column.name]) for column in self.columns], dim=1)
        return encoded.float()

    def parse(self, table: Table) -> Raw:
        """The columns that this encoding was fitted on, from a table of texts.

        Raises:
            UserError: A column is missing, or a text is not a number (with line and column).
        """
        missing = [column.name for column in self.columns if column.name not in table.header]
        if missing:
            raise _column_missing(missing, table.path, table.header)
        return {
            column.name: table.numbers(column.name)
            if column.kind == "numeric"
            else table.texts(column.name)
            for column in self.columns
        }

    def prepare(self, batch: Batch) -> Batch:
        """Rows are stored as the model takes them."""
        return batch

    def read(self, path: str) -> tuple[list[str], Batch]:
        """The rows of a CSV file with a header, or one row written as `name=value,name=value`.

        The file needs the columns that the run was trained on; others, the target among them, are
        ignored.
        """
        if "=" in path and not Path(path).exists():
            table = _row_from_text(path)
            return [path], {"input": self.encode(self.parse(table))}
        table = read_csv(path, self.delimiter)
        names = [f"{path}:{line}" for line in table.lines]
        return names, {"input": self.encode(self.parse(table))}

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding."""
        columns = [asdict(c) | {"categories": list(c.categories)} for c in self.columns]
        target = asdict(self.target) | {"class_names": list(self.target.class_names)}
        return {
            "kind": self.kind,
            "columns": columns,
            "target": target,
            "delimiter": self.delimiter,
        }

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> "TableEncoding":
        """The inverse of `to_json`."""
        columns = tuple(
            Column(**(column | {"categories": tuple(column["categories"])}))
            for column in json["columns"]
        )
        names = tuple(json["target"]["class_names"])
        target = Target(**(json["target"] | {"class_names": names}))
        return cls(columns, target, json["delimiter"])


def _column_missing(missing: Sequence[str], where: str, present: Sequence[str]) -> UserError:
    guess = closest_match(missing[0], present)
    hint = f"; did you rename it to '{guess}'?" if guess else ""
    names = ", ".join(f"'{name}'" for name in missing[:5]) + (" ..." if len(missing) > 5 else "")
    word = "column" if len(missing) == 1 else "columns"
    return UserError(
        f"{where}: the {word} {names} that the run was trained on "
        f"{'is' if len(missing) == 1 else 'are'} missing{hint} (there are: {', '.join(present)})"
    )


def _row_from_text(text: str) -> Table:
    """`temperature=30,humidity=80` as a table of one row."""
    pairs = [cell.split("=", 1) for cell in text.split(",") if cell.strip()]
    if any(len(pair) != 2 for pair in pairs):
        raise UserError(f"input={text!r}: expected a CSV file or name=value,name=value")
    header = [name.strip() for name, _ in pairs]
    return Table("input", header, [[value.strip() for _, value in pairs]], [1])
