"""Rows of a text file of JSON: a value on each line, or the entries of one list."""

import json
from typing import Any

from zoo.errors import UserError

Entry = tuple[str, Any]  # where it stands, for messages; the value


def read_rows(text: str, path: str) -> list[Entry]:
    """All rows.

    Args:
        text: The file's content.
        path: Its name.

    Raises:
        UserError: No JSON; an empty file.
    """
    if text.lstrip().startswith("["):
        rows = [(f"{path}, entry {n}", v) for n, v in enumerate(_read(text, path), start=1)]
    else:
        lines = ((f"{path}:{n}", line) for n, line in enumerate(text.split("\n"), start=1))
        rows = [(where, _read(line, where)) for where, line in lines if line.strip()]
    if not rows:
        raise UserError(f"{path}: the file is empty; expected one JSON object per line")
    return rows


def _read(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not JSON: {error}") from None
