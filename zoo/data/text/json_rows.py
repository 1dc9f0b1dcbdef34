"""Rows of a text file of JSON: a value on each line, or the entries of one list."""

import contextlib
import json
from collections.abc import Sequence, Set
from typing import Any

from zoo.data.json_text import parse_json
from zoo.errors import UserError
from zoo.phrases import first_few

Entry = tuple[str, Any]  # where it stands, for messages; the value
LISTED = 8  # names in a note


def read_rows(text: str, path: str) -> list[Entry]:
    """All rows.

    Args:
        text: The file's content.
        path: Its name.

    Raises:
        UserError: No JSON; a key twice in an object; an empty file; one object over several lines.
    """
    if text.lstrip().startswith("["):
        rows = [(f"{path}, entry {n}", v) for n, v in enumerate(_read(text, path), start=1)]
    else:
        _check_lines(text, path)
        lines = ((f"{path}:{n}", line) for n, line in enumerate(text.split("\n"), start=1))
        rows = [(where, _read(line, where)) for where, line in lines if line.strip()]
    if not rows:
        raise UserError(f"{path}: the file is empty; expected one JSON object per line")
    return rows


def unread(rows: Sequence[Entry], read: Set[str]) -> list[str]:
    """A note on what the rows, objects, hold besides what is read; none if that is nothing."""
    names = list({name: None for _, row in rows for name in row if name not in read})
    return [f"of each row, not read: {first_few(names, LISTED)}"] if names else []


def _check_lines(text: str, path: str) -> None:
    """Refuse one object that is written over several lines.

    Raises:
        UserError: It is one; with the key that may hold the rows.
    """
    first, _, rest = text.strip().partition("\n")
    if not rest or first.rstrip().endswith("}"):
        return
    with contextlib.suppress(ValueError, RecursionError):
        whole = json.loads(text)
        lists = [key for key, value in whole.items() if isinstance(value, list)]
        fix = f"; of '{lists[0]}': jq -c '.{lists[0]}[]' {path}" if lists else ""
        raise UserError(
            f"{path}: one JSON object over several lines; expected an object a line, or a list of "
            f"objects{fix}"
        )


def _read(text: str, where: str) -> Any:
    try:
        return parse_json(text, where)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not JSON: {error}") from None
