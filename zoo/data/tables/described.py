"""What a column holds, in a few words: a range, the most frequent values.

Shapes: N rows.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from torch import Tensor

from zoo.data.tables.dates import is_no_date, parse_date
from zoo.phrases import plural

EXAMPLES = 40  # characters of categories that are listed
NAME = 20  # of one of them


def describe_numbers(values: Tensor) -> str:
    """`18 to 79, 14 missing`, of float64 (N,) with NaN where missing."""
    known = values[~values.isnan()]
    if not len(known):
        return "all missing"
    return f"{number(float(known.min()))} to {number(float(known.max()))}{_gaps(values.isnan())}"


def describe_dates(cells: Sequence[str], order: str) -> str:
    """`2019-01-01 to 2023-02-08 (y-m-d)`."""
    moments = [None if is_no_date(cell) else parse_date(cell, order) for cell in cells]
    known = [moment for moment in moments if moment is not None]
    if order == "time":
        first, last = (f"{edge(m[-1] for m in known):.4g}" for edge in (min, max))
        span = f"{first} to {last} o'clock"
    else:
        start = datetime(1970, 1, 1, tzinfo=UTC)
        days = (edge(m[0] for m in known) for edge in (min, max))
        first, last = (f"{start + timedelta(days=day):%Y-%m-%d}" for day in days)
        span = f"{first} to {last}"
    return f"{span} ({order}){_gaps([moment is None for moment in moments])}"


def describe_texts(texts: Sequence[str | None]) -> str:
    """`3 values: basic (102), pro (101), plus (97)`, the most frequent first."""
    counts = Counter(text for text in texts if text is not None)
    gaps = _gaps([text is None for text in texts])
    return f"{plural(len(counts), 'value')}: {frequent(counts)}{gaps}"


def frequent(counts: Counter[str]) -> str:
    """`basic (102), pro (101), ...`, as many as fit."""
    listed = ""
    for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        item = f"{name[:NAME]} ({count:,})"
        if listed and len(listed) + len(item) > EXAMPLES:
            return f"{listed}, ..."
        listed += f"{', ' if listed else ''}{item}"
    return listed


def number(value: float) -> str:
    """A number as it is read easily: `87,666`, `0.1234`."""
    if value.is_integer() and abs(value) < 1e12:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if 1e4 <= abs(value) < 1e12 else f"{value:.4g}"


def _gaps(missing: Tensor | Sequence[bool]) -> str:
    count = int(sum(missing))
    return f", {count:,} missing" if count else ""
