"""Rows of a table: a list of dictionaries, which a notebook shows as a table.

`pandas.DataFrame(rows)` takes them as they are.
"""

from collections.abc import Iterable
from html import escape
from typing import Any

SHOWN = 20  # rows in a notebook
LONGEST = 60  # characters of a cell
Row = dict[str, Any]


class Rows(list[Row]):
    """Rows of named values; one that lacks a column has an empty cell there."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        super().__init__(rows)

    @property
    def columns(self) -> list[str]:
        """The names of all columns, in the order in which they appear."""
        return list(dict.fromkeys(name for row in self for name in row))

    def _repr_html_(self) -> str:
        columns = self.columns
        head = "".join(f"<th>{escape(name)}</th>" for name in columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{_cell(row.get(name))}</td>' for name in columns)}</tr>"
            for row in self[:SHOWN]
        )
        more = f"<p>{len(self) - SHOWN:,} more rows</p>" if len(self) > SHOWN else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: Any) -> str:
    """A value as a cell shows it: four significant digits, the most probable of many."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        ranked = sorted(value.items(), key=lambda pair: -pair[1])
        return escape(", ".join(f"{name} {share:.1%}" for name, share in ranked[:3]))
    text = str(value)
    return escape(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")
