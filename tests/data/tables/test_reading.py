"""Cells to numbers by a column's reading; those that are none are named together."""

import math

import pytest

from zoo.data.tables.csv_file import parse_csv
from zoo.data.tables.numbers import Notation
from zoo.data.tables.reading import Reading, read_numbers, usual_decimal
from zoo.errors import UserError


def table(*cells, delimiter=";"):
    return parse_csv("\n".join([f"a{delimiter}b", *(f"{c}{delimiter}x" for c in cells)]), "t.csv")


@pytest.mark.parametrize("gap", ["", "NA", "None", "null", "N/A", "-", "?", "#N/A", "n.a.", "NaN"])
def test_a_gap_in_numbers_is_missing(gap):
    values = read_numbers(table("1", gap, "2"), "a").tolist()
    assert values[::2] == [1, 2] and math.isnan(values[1])


def test_all_cells_that_are_no_numbers_are_named():
    with pytest.raises(UserError) as error:
        read_numbers(table("1", "tall", "2", "big", "x", "y", "z"), "a", otherwise="task=x")
    assert str(error.value) == (
        "t.csv, line 3: 'tall' in the column 'a' is not a finite number (likewise 'big' in line 5, "
        "'x' in line 6, 'y' in line 7 and 1 more); correct it, or task=x"
    )


def test_a_part_of_a_date():
    reading = Reading("a", date="d.m.y", part="month")
    assert read_numbers(table("31.12.2024", "01.02.2023"), "a month", reading).tolist() == [12, 2]
    with pytest.raises(UserError, match=r"'31.02.2023' in the column 'a' is not a date written as"):
        read_numbers(table("31.12.2024", "31.02.2023"), "a month", reading)
    with pytest.raises(ValueError, match="unknown"):
        Reading("a", date="d.m.y", part="era")


def test_a_file_shows_its_decimal_sign():
    assert usual_decimal(table("2,5", "1,234")) == (",", True)
    assert usual_decimal(table("1,234")) == (",", False), "goes with semicolons"
    assert usual_decimal(table('"1,234"', delimiter=",")) == (".", False)
    assert usual_decimal(table("2.5")) == (".", True)
    values = read_numbers(table("1,234"), "a", Reading(notation=Notation(",")))
    assert values.tolist() == [1.234]
