"""The pictures and text samples of a run, as the report holds them: within a budget of bytes."""

import base64
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.report.html import Html, element, join

KINDS = {".png": "image/png", ".gif": "image/gif"}
PNG = b"\x89PNG\r\n\x1a\n"
FULL = "_full"  # ends the tag of the detailed version of a picture
MAX_SAMPLE = 20_000  # characters of a sample
MAX_SAMPLES = 24
STEP = re.compile(r"(?P<tag>.+?)-(?P<step>\d+)$")


@dataclass(frozen=True)
class Preview:
    """A file of `previews/`.

    Attributes:
        path: The file.
        tag: `confusion`.
        step: At which it was made; None for a film of all.
    """

    path: Path
    tag: str
    step: int | None

    @property
    def title(self) -> str:
        """The tag as words."""
        return self.tag.removesuffix(FULL).replace("_", " ")


def latest(folder: Path) -> tuple[list[Preview], list[Preview]]:
    """The newest picture of each tag, and the first and newest text."""
    pictures: dict[str, Preview] = {}
    texts: dict[str, list[Preview]] = {}
    for path in sorted(folder.glob("*.*")) if folder.is_dir() else []:
        match = STEP.match(path.stem)
        step = int(match["step"]) if match else None
        one = Preview(path, match["tag"] if match else path.stem, step)
        if path.suffix in KINDS:
            key = f"{one.tag}{path.suffix}"
            if key not in pictures or (one.step or 0) >= (pictures[key].step or 0):
                pictures[key] = one
        elif path.suffix == ".txt":
            texts.setdefault(one.tag, []).append(one)
    samples = []
    for found in texts.values():
        found.sort(key=lambda text: text.step or 0, reverse=True)
        samples += [found[0], *found[-1:]] if len(found) > 1 else found
    return list(pictures.values()), samples[:MAX_SAMPLES]


def caption(png: bytes) -> str:
    """The text under `Description` in a PNG; empty if it has none."""
    for kind, content in _chunks(png):
        if kind == b"iTXt" and content.startswith(b"Description\0"):
            packed, rest = content[12:13] == b"\1", content[14:]
            text = rest.split(b"\0", 2)[2] if rest.count(b"\0") >= 2 else b""
            return (zlib.decompress(text) if packed else text).decode("utf-8", "replace")
        if kind == b"IDAT":
            break
    return ""


def size(png: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG or GIF; None of what is neither."""
    if png.startswith(PNG):
        return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
    if png.startswith(b"GIF8"):
        return int.from_bytes(png[6:8], "little"), int.from_bytes(png[8:10], "little")
    return None


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(PNG)
    while place + 8 <= len(png):
        length = int.from_bytes(png[place : place + 4])
        yield png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        place += length + 12


def gallery(found: list[Preview], budget: int) -> Html:
    """Pictures with their captions, the largest left out where they exceed the budget.

    Args:
        found: The pictures.
        budget: Bytes of HTML that they may take.
    """
    files = {one: one.path.read_bytes() for one in found}
    files = {one: content for one, content in files.items() if size(content)}
    left_out: list[Preview] = []
    while files and sum(_cost(content) for content in files.values()) > budget:
        largest = max(files, key=lambda one: len(files[one]))
        left_out.append(largest)
        del files[largest]
    cards = [one for one in files if not one.tag.endswith(FULL)]
    details = {one.tag.removesuffix(FULL): one for one in files if one.tag.endswith(FULL)}
    parts = []
    for one in cards:
        detail = details.get(one.tag)
        parts.append(_card(one, files[one], files[detail] if detail else None))
    notes = []
    if left_out:
        names = ", ".join(one.path.name for one in left_out)
        notes = [element("p", f"Left out to keep this file small: {names}. The folder previews/ of "
                         "the run has them.", class_="note")]  # fmt: skip
    return join([element("div", *parts, class_="gallery"), *notes])


def _cost(content: bytes) -> int:
    return 4 * (len(content) + 2) // 3 + 600


def _card(one: Preview, content: bytes, detailed: bytes | None) -> Html:
    about = caption(content)
    alternative = f"{one.title}. {about}" if about else one.title
    when = f" at step {one.step:,}" if one.step is not None else ""
    text = element("figcaption", element("strong", f"{one.title}{when}"), element("p", about or ""))
    parts = [_image(one, content, alternative), text]
    if one.path.suffix == ".gif":  # it moves: only on request
        film = element("details", element("summary", "show the film"), parts[0])
        parts = [film, text]
    elif detailed is not None:
        larger = _image(one, detailed, f"{alternative} In detail.")
        parts.append(element("details", element("summary", "in detail"), larger))
    return element("figure", *parts, class_="picture")


def _image(one: Preview, content: bytes, alternative: str) -> Html:
    width, height = size(content) or (None, None)
    source = f"data:{KINDS[one.path.suffix]};base64,{base64.b64encode(content).decode()}"
    return element("img", src=Html(source), alt=alternative, width=width, height=height)


def samples(found: list[Preview]) -> Html:
    """Texts as they are, long ones cut."""
    parts = []
    for one in found:
        text = one.path.read_text(encoding="utf-8", errors="replace")
        when = f" at step {one.step:,}" if one.step is not None else ""
        cut = len(text) > MAX_SAMPLE
        shown = (
            f"{text[:MAX_SAMPLE]}\n[... {len(text) - MAX_SAMPLE:,} more characters]"
            if cut
            else text
        )
        title = f"{one.title}{when}"
        body = element("pre", shown, tabindex="0", role="region", aria_label=title)
        parts.append(element("div", element("h3", title), body, class_="sample"))
    return join(parts)
