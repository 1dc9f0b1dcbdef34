"""Texts in Markdown as they are: the characters of any text say nothing about its layout."""

import re
import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 100  # characters of a line of a code block, whose lines a page does not break
SPECIAL = re.compile(r"([\\`*_{}\[\]|])")


def block(text: str) -> str:
    """A text as an indented code block, its lines kept and long ones broken."""
    options = {"width": WIDTH, "drop_whitespace": False, "replace_whitespace": False}
    lines: list[str] = []
    for line in re.split(r"\r\n|\r|\n", text):
        lines += textwrap.wrap(line, **options) if len(line) > WIDTH else [line]  # type: ignore[arg-type]
    return textwrap.indent("\n".join(lines), "    ", lambda line: True)


def cell(text: str) -> str:
    """A text on one line, with its special characters escaped."""
    escaped = SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of texts below a line of names."""
    lines = [head, ["---"] * len(head), *([cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
