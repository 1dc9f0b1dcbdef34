"""HTML from Python: whatever is not HTML by type is escaped, so no name or text can be markup."""

import html
import json
import unicodedata
from collections.abc import Iterable
from typing import Any

from zoo.files import finite

VOID = frozenset(("img", "input", "meta", "path", "line", "circle", "rect"))
SHOWN = ("Zs", "Cf")  # further kinds of characters that stay: wide spaces, joiners of emoji
TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def escape(text: object) -> Html:
    """Any text as HTML; codes stand for what has no shape or turns the direction of writing."""
    if isinstance(text, Html):
        return text
    return Html(html.escape("".join(map(_visible, str(text)))))


def _visible(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    kept = unicodedata.category(character) in SHOWN and character not in TURNS
    return character if kept else ascii(character)[1:-1]


def join(parts: Iterable[object], between: str = "") -> Html:
    """Parts one after the other."""
    return Html(between.join(map(escape, parts)))


def element(name: str, /, *content: object, **attributes: object) -> Html:
    """`<name attribute="...">content</name>`.

    Args:
        name: Of the tag.
        *content: Escaped unless it is Html.
        **attributes: `class_` is class, `aria_label` is aria-label; None and False are left out,
            True has no value.
    """
    written = [
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    ]
    opening = f"<{name}{''.join(written)}"
    return Html(f"{opening}/>" if name in VOID else f"{opening}>{join(content)}</{name}>")


def table(
    heading: Iterable[object], rows: Iterable[Iterable[object]], caption: str, **attributes: object
) -> Html:
    """A table in a box of its own, in which it scrolls; the first cell of a row names it."""
    head = element("tr", *(element("th", cell, scope="col") for cell in heading))
    body = [_row(list(row)) for row in rows]
    inner = element("table", element("caption", caption), element("thead", head),
                    element("tbody", *body), **attributes)  # fmt: skip
    return scrolling(inner, caption)


def scrolling(content: Html, label: str) -> Html:
    """A box that scrolls sideways, by the keyboard too."""
    return element("div", content, class_="scroll", tabindex="0", role="region", aria_label=label)


def _row(cells: list[object]) -> Html:
    first, *rest = cells
    return element("tr", element("th", first, scope="row"), *(element("td", c) for c in rest))


def data(content: Any, id_: str) -> Html:
    """JSON for the page's script; no text in it can end its element."""
    text = json.dumps(finite(content), separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Html(f'<script type="application/json" id="{escape(id_)}">{text}</script>')
