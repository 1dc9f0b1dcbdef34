"""The text of a user's file, in whichever of the usual encodings it is.

UTF-8 is taken where it fits, without a word. UTF-16 and UTF-32 show by their mark or their zeros.
Of the older encodings two are recognised, Chinese GB18030 and western Windows-1252, and only where
the text that they give is usual for them; a note says so. Anything else is refused with the line of
its first byte that is not UTF-8: a wrong guess would be trained on.
"""

import codecs
import re
from pathlib import Path
from typing import NamedTuple

from zoo.data.packed import read_unpacked
from zoo.errors import UserError

MARKS = (  # the longer first: that of UTF-32 begins as that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_WESTERN = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüŒœŠšŽž")
_SIGNS = frozenset("€‚„…‘’“”•–—™¡£¥§©ª«®°±²³´µ·º»¼½¾¿×÷ \xa0\xad")
_SIGN_IN_WORD = re.compile(r"[a-z][¡£¥©ª®±²³¹º¼½¾¿]|[¡£¥©®±²³¹¼½¾][a-z]|[¥£][A-Z]")
USUAL = 0.9  # share of the characters that must be usual ones


class Content(NamedTuple):
    """The text of a file, and what there is to say about it."""

    text: str
    notes: list[str]


def read_text(path: Path) -> Content:
    """The text of a file, which may be compressed; ends of lines stay as they are.

    Raises:
        UserError: No such file, no text, or in an encoding that is not recognised.
    """
    raw = read_unpacked(path)
    name = encoding_of(raw)
    if name is None:
        raise _not_utf8(raw, path)
    try:
        text = raw.decode(name).removeprefix("\ufeff")
    except UnicodeError as error:
        raise UserError(f"{path}: damaged {name.upper()}: {error}; save the file again") from error
    if (zero := text.find("\0")) >= 0:
        raise UserError(f"{path}: not a text: byte 0 at offset {zero}; expected UTF-8")
    if name in ("utf-8-sig", "utf-16", "utf-32"):
        return Content(text, [])
    return Content(text, [f"{path.name} is read as {name.upper()}; if not, save it as UTF-8"])


def encoding_of(raw: bytes) -> str | None:
    """Python's name of the encoding of these bytes; None where none is beyond doubt."""
    for mark, name in MARKS:
        if raw.startswith(mark):
            return name
    head = raw[: 2**16]
    zeros = [head[parity::2].count(0) for parity in (0, 1)]
    if 0 in zeros and 4 * max(zeros) > len(head) / 8:
        return "utf-16-le" if zeros[1] else "utf-16-be"
    if (damage := _damage(raw)) is None:
        return "utf-8-sig"
    errors, others = damage
    if others >= errors:  # most of it is UTF-8: a damaged file
        return None
    if _is_chinese(raw):
        return "gb18030"
    return "cp1252" if _is_western(raw) else None


def _damage(raw: bytes) -> tuple[int, int] | None:
    """How many characters are not UTF-8, and how many are, besides ASCII; None for UTF-8."""
    try:
        raw.decode("utf-8-sig")
        return None
    except UnicodeDecodeError:
        text = re.sub(r"[\x00-\x7f]+", "", raw.decode("utf-8", errors="replace"))
        return text.count("\ufffd"), len(text) - text.count("\ufffd")


def _is_chinese(raw: bytes) -> bool:
    """Whether GB18030 gives mostly common Chinese characters, and no Korean word is likelier."""
    try:
        text = raw.decode("gb18030")
    except UnicodeDecodeError:
        return False
    high = re.sub(r"[\x00-\x7f]+", "", text)
    codes = [character.encode("gb18030") for character in high]
    # Of GB2312's plane: signs in rows A1 to A3, and the common half of the characters.
    common = sum(len(c) == 2 and c[1] >= 0xA1 and 0xB0 <= c[0] <= 0xD7 for c in codes)
    signs = sum(len(c) == 2 and c[1] >= 0xA1 and 0xA1 <= c[0] <= 0xA3 for c in codes)
    return common > 0 and common + signs >= USUAL * len(codes) and not _is_korean(set(codes))


def _is_korean(codes: set[bytes]) -> bool:
    """Whether all of ten characters or more lie where Korean ones do, of Chinese ones 60 %."""
    letters = [code for code in codes if code[0] >= 0xB0]
    return len(letters) >= 10 and all(code[0] <= 0xC8 for code in letters)


def _is_western(raw: bytes) -> bool:
    """Whether Windows-1252 gives only letters of western languages, mostly alone among ASCII."""
    try:
        text = raw.decode("cp1252")
    except UnicodeDecodeError:
        return False
    high = [character for character in text if character > "\x7f"]
    if not _WESTERN.union(_SIGNS).issuperset(high) or _SIGN_IN_WORD.search(text):
        return False
    runs = re.findall(r"[^\x00-\x7f]+", text)  # of other scripts they are as long as words
    alone = sum(len(run) == 1 for run in runs)
    pairs = sum(len(run) == 2 and not _WESTERN.isdisjoint(run) for run in runs)
    return 2 * alone >= len(runs) and alone + pairs >= USUAL * len(runs)


def _not_utf8(raw: bytes, path: Path) -> UserError:
    try:
        raw.decode("utf-8-sig")
        raise AssertionError(path)
    except UnicodeDecodeError as error:
        mark = len(codecs.BOM_UTF8) if raw.startswith(codecs.BOM_UTF8) else 0
        start = error.start + mark
        line = raw.count(b"\n", 0, start) + 1
        return UserError(
            f"{path}, line {line}: not UTF-8 (byte 0x{raw[start]:02x} at offset {start}); save the "
            f"file as UTF-8, or convert it: iconv -f <its encoding> -t UTF-8 {path.name} > "
            f"{path.stem.split('.')[0]}-utf8{path.suffix}"
        )
