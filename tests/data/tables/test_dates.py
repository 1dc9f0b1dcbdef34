"""Dates in the ways they are written, equal to those of the calendar."""

from datetime import datetime, timedelta

import pytest

from zoo.data.tables.dates import find_order, parse_date

LAST = datetime(2024, 12, 31)


@pytest.mark.parametrize(
    ("text", "order", "hours"),
    [
        ("2024-12-31", "y-m-d", 0),
        ("2024/12/31", "y-m-d", 0),
        ("2024.12.31", "y-m-d", 0),
        ("2024年12月31日", "y-m-d", 0),
        ("2024-12-31T18:30:00", "y-m-d", 18.5),
        ("2024-12-31 18:30:00.000Z", "y-m-d", 18.5),
        ("31.12.2024", "d.m.y", 0),
        ("31.12.24 6:00", "d.m.y", 6),
        ("31-12-2024", "d.m.y", 0),
        ("12/31/2024", "m/d/y", 0),
        ("12/31/2024 6:30 PM", "m/d/y", 18.5),
        ("31 December 2024", "d month y", 0),
        ("31-Dec-24", "d month y", 0),
        ("Dec 31, 2024", "month d y", 0),
    ],
)
def test_a_date_is_the_one_of_the_calendar(text, order, hours):
    assert find_order([text]) == (order, False)
    moment = LAST + timedelta(hours=hours)
    elapsed = (moment - datetime(1970, 1, 1)) / timedelta(days=1)
    assert parse_date(text, order) == (elapsed, 2024, 12, 31, moment.weekday(), hours)


def test_a_zone_shifts_the_time_that_elapsed_and_not_the_hour():
    utc, east = (parse_date(f"2024-12-31 12:00{zone}", "y-m-d") for zone in ("Z", "+06:00"))
    assert utc[0] - east[0] == 0.25 and utc[1:] == east[1:]


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["03/04/2024", "05/06/2024"], ("m/d/y", True)),
        (["03/04/2024", "13/04/2024"], ("d.m.y", False)),
        (["03/04/2024", "04/13/2024"], ("m/d/y", False)),
        (["03.04.2024"], ("d.m.y", False)),
        (["2024-03"], ("y-m", False)),
        (["9:30", "18:00"], ("time", False)),
        (["2024-01-01"] * 3 + [f"2024-01-{d:02d}" for d in range(1, 31)] + ["soon"],
         ("y-m-d", False)),
        (["Rome", "2024-01-01"], None),
        (["2024-02-30"], None),
        (["12-31"], None),
        (["25:00"], None),
        (["1.2.3"], None),
    ],
)  # fmt: skip
def test_a_column_shows_its_order(texts, order):
    assert find_order(texts) == order
