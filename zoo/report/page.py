"""The page around the sections: one file that loads nothing and lets nothing be loaded.

Its policy (CSP) permits the one script and the one style that it holds, by their digests, and
pictures that are in the file. A text that came to be a script in spite of all would not run.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from zoo.report.html import Html, data, element, join

FILE = "report.html"
MAX_BYTES = 2_000_000
HERE = Path(__file__).parent
LEFT_OUT = element("p", "Left out to keep this file below 2 MB; the folder that it was made from "
                   "has it.", class_="note")  # fmt: skip


class Section(NamedTuple):
    """A part of the page with a heading."""

    id: str
    title: str
    content: Html


def page(
    title: str,
    header: Html,
    sections: Sequence[Section],
    content: dict[str, Any],
    footer: Html,
) -> str:
    """The whole file.

    Args:
        title: Of the window.
        header: Above the sections.
        sections: Those without content are left out.
        content: For the script, as JSON.
        footer: Below the sections.
    """
    style, script = _source("style.css"), _source("page.js")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    kept = [section for section in sections if section.content]
    content = {i: one for i, one in content.items() if any(f'id="{i}"' in s.content for s in kept)}
    links = [element("li", element("a", s.title, href=f"#{s.id}")) for s in kept]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=Html(policy)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        Html(f"<style>{style}</style>"),
    )
    body = element(
        "body",
        element("a", "Skip to the results", href=f"#{kept[0].id}", class_="skip"),
        element("header", header, class_="top"),
        element("nav", element("ul", *links), aria_label="Sections"),
        element("main", *map(_section, kept)),
        element("footer", footer),
        data(content, "data"),
        Html(f"<script>{script}</script>"),
    )
    return f'<!doctype html>\n<html lang="en">\n{head}\n{body}\n</html>\n'


def fitted(
    title: str,
    header: Html,
    sections: Sequence[Section],
    content: dict[str, Any],
    footer: Html,
    most: int = MAX_BYTES,
) -> str:
    """The whole file; where it would be larger than `most` bytes, its largest sections are left
    out, which a line says in their places. The arguments are those of `page`."""
    kept = list(sections)
    left_out = {Section(s.id, s.title, LEFT_OUT) for s in sections}
    while size(text := page(title, header, kept, content, footer)) > most:
        candidates = [s for s in kept if s.content and s not in left_out]
        if not candidates:
            break
        place = kept.index(max(candidates, key=lambda s: size(s.content)))
        kept[place] = kept[place]._replace(content=LEFT_OUT)
    return text


def size(text: str) -> int:
    """Bytes of a file with this text."""
    return len(text.encode("utf-8", "backslashreplace"))


def _section(section: Section) -> Html:
    heading = element("h2", section.title, id=f"{section.id}-heading")
    return element(
        "section", heading, section.content, id=section.id, aria_labelledby=f"{section.id}-heading"
    )


@cache
def _source(name: str) -> str:
    """The style or the script, without the comments that explain it here."""
    text = (HERE / name).read_text(encoding="utf-8")
    return re.sub(r"^\s*(//.*|/\*.*\*/)\n", "", text, flags=re.MULTILINE)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def tile(name: str, value: object, note: object = "") -> Html:
    """A figure that one sees first."""
    parts = [element("dt", name), element("dd", value, class_="value")]
    return element("div", *parts, *([element("dd", note)] if note else []), class_="tile")


def tiles(found: Sequence[Html]) -> Html:
    """Figures side by side."""
    return element("dl", *found, class_="tiles")


def facts(rows: Sequence[tuple[str, object]]) -> Html:
    """Names and what they are."""
    return element(
        "dl", *(join([element("dt", n), element("dd", v)]) for n, v in rows if v), class_="facts"
    )


def command(text: str, label: str) -> Html:
    """A command line; the script adds a button that copies it."""
    code = element("code", text)
    text_box = element("pre", code, tabindex="0", role="region", aria_label=label)
    return element("div", text_box, class_="command")
