"""The file overrides.txt of a run: what was typed, one override a line."""

import json
from collections.abc import Iterable


def join_lines(overrides: Iterable[str]) -> str:
    """The content of overrides.txt: one a line, as JSON where it has a line break in it."""
    lines = (json.dumps(o) if o.splitlines() != [o] or o[0] == '"' else o for o in overrides)
    return "\n".join(lines) + "\n"


def split_lines(text: str) -> list[str]:
    """The inverse of `join_lines`."""
    return [json.loads(line) if line.startswith('"') else line for line in text.splitlines()]
