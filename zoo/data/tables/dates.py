"""Dates as people write them, and what a model gets of them: numbers.

A date becomes the days that elapsed since 1970, its year, month, day and weekday, a time its hour.
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from zoo.data.tables.csv_file import is_missing

PARTS = ("elapsed", "year", "month", "day", "weekday", "hour")
Moment = tuple[float, float, float, float, float, float]
_TIME = (
    r"(?:[T ,]\s*(?P<h>\d{1,2})[:时](?P<min>\d{2})(?:[:分](?P<s>\d{2})(?:[.,](?P<f>\d+))?)?[秒分]?"
    r"\s*(?P<half>[ap]\.?m\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?(?:\d{2})?)?)?"
)
_TIME_ALONE = _TIME.replace(r"(?:[T ,]\s*", "(?:", 1).removesuffix("?")
_YEAR = r"(?P<y>\d{4}|\d{2})"
_NAME = r"(?P<name>[a-z]{3,9})\.?"
ORDERS = {  # each way of writing, by name: the order of its parts
    "y-m-d": r"(?P<y>\d{4})(?P<p>[-/.年])\s?(?P<m>\d{1,2})(?:(?P=p)|月)\s?(?P<d>\d{1,2})日?",
    "y-m": r"(?P<y>\d{4})[-/年](?P<m>\d{1,2})月?",
    "d.m.y": r"(?P<d>\d{1,2})(?P<p>[./-])\s?(?P<m>\d{1,2})(?P=p)\s?" + _YEAR,
    "m/d/y": r"(?P<m>\d{1,2})(?P<p>[./-])\s?(?P<d>\d{1,2})(?P=p)\s?" + _YEAR,
    "d month y": rf"(?:[a-z]{{3,9}},? )?(?P<d>\d{{1,2}})\.?[ -]{_NAME}[ ,-]\s*{_YEAR}",
    "month d y": rf"(?:[a-z]{{3,9}},? )?{_NAME} (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>\d{{4}})",
    "time": "",
}
_PATTERNS = {
    order: re.compile(pattern + _TIME if pattern else _TIME_ALONE, re.IGNORECASE)
    for order, pattern in ORDERS.items()
}
ENOUGH = 0.9  # share of a column's cells that are dates, where the others are mistakes
TRIED = 50  # cells that are tried before a whole column is


def parts_of(order: str) -> tuple[str, ...]:
    """What is taken of dates written so."""
    return ("hour",) if order == "time" else PARTS


@lru_cache(maxsize=2**16)  # one after another, each part of a column asks for the same cells
def parse_date(text: str, order: str) -> Moment | None:
    """The parts of a date, as in `PARTS`; None where it is not written in this order.

    Weekdays count from 0, Monday; hours have a fraction. A time zone shifts `elapsed` alone: the
    hour is the one that the text says. Years of two digits are 1969 to 2068.
    """
    match = _PATTERNS[order].fullmatch(text.strip())
    if match is None:
        return None
    found = match.groupdict()
    month = found.get("m") or _month(found.get("name"))
    year = int(found.get("y") or 1970)
    if len(found.get("y") or "1970") == 2:
        year += 2000 if year < 69 else 1900
    try:
        date = datetime(year, int(month), int(found.get("d") or 1), _hour(found), tzinfo=UTC)
        date += timedelta(
            minutes=_minutes(found["min"]),
            seconds=_minutes(found["s"]),
            microseconds=float(f"0.{found['f'] or 0}") * 1e6,
        )
        elapsed = (date - datetime(1970, 1, 1, tzinfo=UTC) - _offset(found["zone"])) / _DAY
    except (ValueError, OverflowError):
        return None
    hour = date.hour + date.minute / 60 + date.second / 3600
    return (elapsed, date.year, date.month, date.day, date.weekday(), hour)


_DAY = timedelta(days=1)


def _month(name: str | None) -> int:
    """The number of a month by its English name; 1 without a name, 0 for an unknown one."""
    if name is None:
        return 1
    long = "january february march april may june july august september october november december"
    fits = [n for n, full in enumerate(long.split(), 1) if full.startswith(name.lower())]
    return fits[0] if len(fits) == 1 else 9 if name.lower() == "sept" else 0


def _hour(found: dict[str, str | None]) -> int:
    hour = int(found["h"] or 0)
    if half := found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if half.lower().startswith("p") else 0)
    return hour


def _minutes(text: str | None) -> int:
    number = int(text or 0)
    if number > 59:
        raise ValueError(number)
    return number


def _offset(zone: str | None) -> timedelta:
    if not zone or zone[0] not in "+-":
        return timedelta()
    digits = zone[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return size if zone[0] == "+" else -size


def find_order(texts: Sequence[str]) -> tuple[str, bool] | None:
    """How a column writes dates, and whether another reading fits as well; None: no dates.

    With points the day comes first. `03/04/2024` is read as month/day, unless a cell such as
    13/04/2024 shows the day.

    Args:
        texts: Its cells that are not missing.
    """
    texts = list(dict.fromkeys(texts))
    tried = {order for order in ORDERS if any(parse_date(t, order) for t in texts[:TRIED])}
    share = {
        order: sum(parse_date(text, order) is not None for text in texts) / len(texts)
        for order in ORDERS
        if order in tried
    }
    best = max(share.values(), default=0.0)
    if best < ENOUGH:
        return None
    fits = [order for order in ORDERS if share.get(order) == best]
    both = {"d.m.y", "m/d/y"}.issubset(fits)
    if both and not any("." in text.split()[0] for text in texts):
        return "m/d/y", True
    return fits[0], False


def date_part(texts: Sequence[str | None], order: str, part: str) -> list[float | None]:
    """One part of each cell; NaN where the cell is missing, None where it is no date."""
    number = PARTS.index(part)
    values: list[float | None] = []
    for text in texts:
        moment = None if text is None else parse_date(text, order)
        values.append(math.nan if text is None else moment and moment[number])
    return values


def is_no_date(text: str) -> bool:
    """Whether a cell in a column of dates is missing."""
    return is_missing(text) or text.strip().lower() in {"none", "nat", "-", "--", "0000-00-00"}
