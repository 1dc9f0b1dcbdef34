"""Scripts: which characters belong to a word, and which are written without spaces between words.

Ranges of code points are those of the Unicode blocks; whether a character is a letter, a digit or a
mark is asked of Python.
"""

import functools
import re
import sys
import unicodedata
from collections.abc import Iterable

HAN = "\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
KANA = "\u3041-\u309f\u30a0-\u30ff\u31f0-\u31ff\uff66-\uff9f"
UNSPACED = {  # name: ranges of a regular expression's class
    "Chinese": HAN,
    "Japanese": KANA,
    "Thai": "\u0e00-\u0e7f",
    "Lao": "\u0e80-\u0eff",
    "Burmese": "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f",
    "Khmer": "\u1780-\u17ff",
    "Tai": "\u1950-\u19df\u1a20-\u1aaf\uaa80-\uaadf",
    "Javanese": "\ua980-\ua9df",
}
ANY = "".join(UNSPACED.values())
LETTER = r"[^\W\d_]"
JOINER, NON_JOINER = "\u200d", "\u200c"
SHOWN_SHARE = 0.1  # of the letters, from which a script counts as that of a text
JAPANESE_SHARE = 0.05  # kana among Han characters and kana, from which those are Japanese
SAMPLE = 2**20  # characters that are enough to tell a text's script
_INVISIBLE = dict.fromkeys(  # within words: soft hyphen, word joiner, choices between glyphs
    [0xAD, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
)
_LETTER, _LETTERS, _HAN = (re.compile(p) for p in (LETTER, f"{LETTER}+", f"[{HAN}]"))
_HAS_UNSPACED = re.compile(f"[{ANY}]")


@functools.cache
def marks() -> str:
    """The ranges of all combining marks: accents, vowel signs, points."""
    points = [c for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c))[0] == "M"]
    starts = [c for before, c in zip([-2, *points], points) if c != before + 1]
    ends = [c for c, after in zip(points, [*points[1:], -2]) if after != c + 1]
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(starts, ends, strict=True))


@functools.cache
def _word() -> re.Pattern[str]:
    """Letters with the marks on them. A joiner belongs to the word, a non-joiner within it too."""
    tail = f"[{marks()}{JOINER}]|{NON_JOINER}(?={LETTER}|[{marks()}])"
    return re.compile(f"{LETTER}+(?:(?:{tail})+{LETTER}*)*")


@functools.cache
def _unspaced() -> re.Pattern[str]:
    """Han characters together; one other character of a script without spaces, with its marks; or
    whatever else is between them."""
    return re.compile(f"[{HAN}]+|[{ANY}][{marks()}{JOINER}{NON_JOINER}]*|[^{ANY}]+")


def fold(text: str) -> str:
    """Lower case, composed (NFC), without invisible characters.

    The Turkish capital I with a dot becomes `i`; Python would keep the dot as a mark.
    """
    if text.isascii():
        return text.lower()
    composed = unicodedata.normalize("NFC", text.translate(_INVISIBLE))
    return unicodedata.normalize("NFC", composed.lower().replace("i\u0307", "i"))


def words_of(text: str) -> list[str]:
    """The words of a folded text: letters and their marks. Digits, signs and spaces separate."""
    return (_LETTERS if text.isascii() else _word()).findall(text)


def has_marked_letters(text: str) -> bool:
    """Whether a letter is followed by a combining mark or a joiner."""
    return not text.isascii() and _marked().search(text) is not None


@functools.cache
def _marked() -> re.Pattern[str]:
    return re.compile(f"{LETTER}[{marks()}{JOINER}{NON_JOINER}]")


def pieces_of(word: str) -> list[str]:
    """A word of a script without spaces as its characters, each with its marks; Han characters
    that follow each other stay together. Any other word as it is."""
    return _unspaced().findall(word) if is_unspaced(word) else [word]


def is_han(piece: str) -> bool:
    """Whether a piece is Han characters."""
    return _HAN.match(piece) is not None


def is_unspaced(word: str) -> bool:
    """Whether a word is of a script without spaces."""
    return _HAS_UNSPACED.search(word) is not None


def unspaced_script(texts: Iterable[str]) -> str | None:
    """The script without spaces in which texts are written, at least a tenth of their letters:
    "Chinese", "Thai" ...; None where there is none. Reads about a million characters.

    Args:
        texts: Texts of one language or several; the most frequent of these scripts counts.
    """
    counts, letters, read = dict.fromkeys(UNSPACED, 0), 0, 0
    for text in texts:
        piece = text[: SAMPLE - read]
        read += len(piece)
        letters += len(_LETTER.findall(piece))
        if not piece.isascii():
            for name, pattern in _patterns().items():
                counts[name] += len(pattern.findall(piece))
        if read >= SAMPLE:
            break
    japanese = counts["Japanese"] >= JAPANESE_SHARE * (counts["Chinese"] + counts["Japanese"])
    if counts["Japanese"] and japanese:
        counts["Japanese"] += counts.pop("Chinese")
    name = max(counts, key=lambda script: counts[script])
    return name if letters and counts[name] >= max(1, SHOWN_SHARE * letters) else None


@functools.cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return {name: re.compile(f"[{ranges}]") for name, ranges in UNSPACED.items()}
