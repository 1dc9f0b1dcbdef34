"""result.json: how a run ended, as commands read it, whoever wrote it."""

import contextlib
import math
from datetime import datetime
from typing import Any

from zoo.errors import UserError, printable
from zoo.runs.directory import RunDirectory
from zoo.schema import describe_value

FILE = "result.json"
TYPES: dict[str, Any] = {  # None besides
    "status": str, "reason": str, "monitor": str, "precision": str, "experiment": str, "name": str,
    "model": str, "commit": str, "ended": str, "best": dict, "val": dict, "test": dict,
    "environment": dict, "baseline": dict, "data": dict, "seed": int,
    "parameters": int, "tokenizer": str, "steps": int, "seconds": int | float,
}  # fmt: skip


def read_result(run: RunDirectory) -> dict[str, Any]:
    """The content of a run's result.json; its texts are one line without codes of terminals.

    Raises:
        UserError: It is missing or damaged, or an entry has another type than a run writes.
    """
    content, file = run.read_json(FILE), run.path / FILE
    if not isinstance(content, dict):
        raise UserError(f"{file} is not a run's: expected an object")
    for name, value in content.items():
        is_finite = not isinstance(value, int | float) or abs(value) < math.inf
        if value is not None and name in TYPES:
            if not isinstance(value, TYPES[name]) or not is_finite:
                raise UserError(f"{file} is not a run's: {name} is {describe_value(value)}")
            if isinstance(value, str):
                content[name] = printable(" ".join(value.split()))
    return content


def ended_at(run: RunDirectory, result: dict[str, Any]) -> float:
    """When a run ended, in seconds since 1970: the date of its file is that of the newest copy.

    Args:
        run: Its folder.
        result: The content of its result.json; older ones lack the time.
    """
    with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError):
        return datetime.fromisoformat(result["ended"]).timestamp()
    return (run.path / FILE).stat().st_mtime
