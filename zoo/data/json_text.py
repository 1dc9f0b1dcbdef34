"""JSON that people's files hold: an object with a key twice, of which Python keeps the last, is
refused."""

import json
from typing import Any

from zoo.errors import UserError


def parse_json(text: str, where: str, item: str = "entry") -> Any:
    """The value of a text.

    Args:
        text: One value.
        where: The text's place, for messages.
        item: What an element of a list is called in them.

    Raises:
        ValueError, RecursionError: It is no JSON.
        UserError: An object in it has a key twice.
    """
    doubled: list[tuple[str, Any]] = []  # a key, and the object that has it twice

    def to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            doubled.append((next(name for name in names if names.count(name) > 1), found))
        return found

    value = json.loads(text, object_pairs_hook=to_dict)
    if doubled:
        name = doubled[0][0]
        if isinstance(value, list):
            entries = ((n, name, found) for n, _ in enumerate(value, 1) for name, found in doubled)
            # An object with a key twice may be gone itself: with what such a key had first.
            number, name = next((n, key) for n, key, of in entries if _holds(value[n - 1], of))
            where = f"{where}, {item} {number}"
        raise UserError(f"{where}: the key '{name}' stands twice in one object; keep one")
    return value


def _holds(value: Any, part: Any) -> bool:
    """Whether `part` is the value, or anywhere in it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is part or any(_holds(other, part) for other in inner)
