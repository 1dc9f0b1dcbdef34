"""Rows of Python as JSON: every digit, and what is missing."""

import json
import math
from datetime import datetime
from decimal import Decimal

import numpy
import pytest

from zoo.data.tables.values import as_json
from zoo.errors import UserError


def test_every_value_keeps_its_digits():
    row = {"a": 0.1 + 0.2, "b": numpy.float64(1 / 3), "c": numpy.int64(7), "d": True, "e": "x"}
    assert json.loads(as_json(row)) == {"a": 0.1 + 0.2, "b": 1 / 3, "c": 7, "d": True, "e": "x"}
    (row, other) = json.loads(as_json([{1: Decimal("2.50")}, {1: datetime(2026, 1, 2, 3)}]))
    assert row == {"1": "2.50"} and other == {"1": "2026-01-02T03:00:00"}


def test_arrays_and_moments_of_numpy():
    row = {"a": numpy.array([2.5]), "b": numpy.array([1, 2]), "c": numpy.datetime64(10**9, "ns")}
    read = json.loads(as_json(row | {"d": numpy.datetime64("NaT")}))
    assert read == {"a": 2.5, "b": "[1 2]", "c": "1970-01-01T00:00:01", "d": None}


def test_what_is_missing_is_null():
    missing = type("NAType", (), {})()
    assert as_json({"a": None, "b": math.nan, "c": numpy.float32("nan"), "d": missing}) == (
        '{"a": null, "b": null, "c": null, "d": null}'
    )


@pytest.mark.parametrize("value", [5, [1, 2], "a=1", [{"a": 1}, 2]])
def test_other_values_are_refused(value):
    with pytest.raises(UserError, match="expected a row as"):
        as_json(value)
