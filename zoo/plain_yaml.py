"""YAML of plain values from a file that somebody else may have written.

Nothing in it is run, looked up in the environment, or expanded beyond bounds.
"""

import re
from typing import Any

import yaml

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C: ten times as fast
ODD_BYTE = re.compile(r"\\u[dD][89a-fA-F]")  # of a path that is not UTF-8; C's loader refuses it
MAX_DEPTH = 50
MAX_VALUES = 100_000  # with aliases (`*name`) replaced by what they stand for


def load_plain(text: str) -> Any:
    """Mappings, lists, text, numbers, booleans and null; `${...}` stays the text that it is.

    Raises:
        ValueError: No YAML, a tag that makes other objects, or more than the limits above.
    """
    try:
        loader = yaml.SafeLoader if ODD_BYTE.search(text) else Loader
        _check_size(text, loader)
        return yaml.load(text, loader)  # it is a safe one
    except (yaml.YAMLError, AttributeError, TypeError) as error:  # the latter from odd scalars
        raise ValueError(" ".join(str(error).split())) from None


def _check_size(text: str, loader: Any) -> None:
    """Check depth and number of values by the parser's events, before anything is built."""
    open_: list[tuple[str | None, int]] = []  # anchor, and values that came before
    sizes: dict[str, int] = {}
    total = 0
    for event in yaml.parse(text, loader):
        total += 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, total))
            if len(open_) > MAX_DEPTH:
                raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor is not None:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise ValueError(f"the alias *{event.anchor} stands for a value that holds it")
            total += sizes[event.anchor]
        elif anchor := getattr(event, "anchor", None):  # of a single value
            sizes[anchor] = 0
        if total > MAX_VALUES:
            raise ValueError(f"it holds more than {MAX_VALUES:,} values")
