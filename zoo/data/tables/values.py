"""Rows of Python: a mapping, several of them, a DataFrame."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from zoo.errors import UserError

EXPECTED = "expected a row as {name: value, ...}, a list of rows, a DataFrame, or a file"


def as_json(value: Any) -> str:
    """Rows as the JSON text that an input may be; numbers keep all their digits.

    Args:
        value: A mapping (also a Series of pandas), a list of one or more, a DataFrame of pandas.

    Raises:
        UserError: It is none of these.
    """
    if hasattr(value, "to_dict"):  # of pandas, which need not be installed
        value = value.to_dict("records") if hasattr(value, "columns") else value.to_dict()
    if isinstance(value, Mapping):
        return json.dumps(_row(value))
    if not isinstance(value, Sequence) or not all(isinstance(row, Mapping) for row in value):
        raise UserError(f"input is of type {type(value).__name__}; {EXPECTED}")
    rows = [_row(row) for row in value]
    return json.dumps(rows[0] if len(rows) == 1 else rows)


def _row(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    """A number, a text or None; dates as ISO 8601 writes them."""
    if type(value).__name__ == "datetime64":  # whose nanoseconds would become a whole number
        value = value.astype("datetime64[us]")
    if hasattr(value, "item") and math.prod(value.shape) == 1:  # of NumPy, or a tensor
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if type(value).__name__ in ("NAType", "NaTType"):  # pandas' missing values
        return None
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
