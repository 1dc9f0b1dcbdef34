"""The file overrides.txt of a run: what was typed, one override a line."""

import json
from collections.abc import Iterable

from zoo.errors import printable


def join_lines(overrides: Iterable[str]) -> str:
    """The content of overrides.txt: one a line, as JSON where it has line breaks or no UTF-8."""
    lines = (o if printable(o) == o and o[:1] != '"' else json.dumps(o) for o in overrides)
    return "\n".join(lines) + "\n"


def split_lines(text: str) -> list[str]:
    """The inverse of `join_lines`."""
    return [json.loads(line) if line.startswith('"') else line for line in text.splitlines()]
