"""What a dataset was understood as, in lines for the header of a run."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from zoo.text_table import text_table

WIDTH = 78  # characters of a line, which is indented by two
NAME = 24  # characters of a name
MOST = 12  # rows that are printed
LEFT_OUT = "left out"
PLURAL = {"number": "numbers", "date": "dates", "category": "categories", "text": "texts"}
MOST_LEFT_OUT = 4  # of them


class Content(NamedTuple):
    """A column of a table, as it was understood.

    Attributes:
        name: As in the file.
        kind: "target", "number", "date", "category", "text" or "left out".
        about: Its range, its values, or the reason why it is left out.
    """

    name: str
    kind: str
    about: str


def describe(contents: Sequence[Content]) -> tuple[list[str], list[str]]:
    """Lines to print, and further lines for the log, which has all rows.

    Where there are many columns, the first of them are printed, with the first of those that are
    left out, and the others are counted.
    """
    shown = _shown(contents)
    rest = [row for row in contents if row not in shown]
    lines = _table(shown)
    if rest:
        counts = Counter(row.kind for row in rest)
        kinds = ", ".join(f"{number:,} {PLURAL.get(kind, kind)}" for kind, number in counts.items())
        lines.append(f"  and {len(rest):,} more ({kinds}): train.log lists them")
    return lines, _table(rest)[1:] if rest else []


def _shown(contents: Sequence[Content]) -> list[Content]:
    if len(contents) <= MOST:
        return list(contents)
    left_out = [row for row in contents if row.kind == LEFT_OUT][:MOST_LEFT_OUT]
    used = [row for row in contents if row.kind != LEFT_OUT][: MOST - len(left_out)]
    return used + left_out


def _table(rows: Sequence[Content]) -> list[str]:
    cells = [(_short(name), kind, about) for name, kind, about in rows]
    table = text_table([("column", "read as", "what is in it"), *cells], WIDTH)
    return [f"  {line}" for line in table.splitlines()]


def _short(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 3]}..."
