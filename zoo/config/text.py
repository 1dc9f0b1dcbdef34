"""Free text on a command line: what a setting is declared to be decides how it is read.

Hydra's grammar reads `data.path=2024` as a number, `data.target=[END]` as a list, and stops at
`photos (1)`, `R&D.csv` and `josé`. Settings that are declared text take what was typed; this is
quoted for Hydra here. Values in the grammar that are of the declared type keep their meaning:
quoted text, `null`, `${seed}`, and in a sweep lists and `choice(...)`.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from zoo.config.declared import declared_type, fits, takes_text, takes_texts
from zoo.config.run import GROUPS

OVERRIDE = re.compile(r"([+]{0,2}([a-z][\w.-]*)=)(.*)", re.DOTALL)
SWEEP = re.compile(r"(choice|range|interval|glob|tag|sort|shuffle)\s*\(.*\)", re.DOTALL)
PAIRS = {"(": ")", "[": "]", "{": "}"}


def quoted(overrides: Iterable[str], sweep: bool = False) -> list[str]:
    """A command line in Hydra's grammar: free text is quoted where it would be read otherwise.

    Args:
        overrides: As typed.
        sweep: Whether commas separate the values of a sweep (`-m`).
    """
    return [_quoted(override, sweep) for override in overrides]


def quote(text: str) -> str:
    """Text as a quoted value of Hydra's grammar."""
    try:
        OmegaConf.create({"text": text})
    except OmegaConfBaseException:  # `${` that is no interpolation
        text = re.sub(r"(\\*)\$\{", lambda m: 2 * m[1] + "\\${", text)
    escaped = re.sub(r"(\\*)('|\Z)", lambda m: 2 * m[1] + m[2].replace("'", "\\'"), text)
    return f"'{escaped}'"


def read(text: str, annotation: Any) -> Any:
    """The value of a setting of this type, as typed; of another type where it does not fit."""
    if takes_text(annotation) and text != text.strip():
        return text
    parsed = _parse(text)
    value = text if parsed is None or parsed.is_sweep_override() else parsed.value()
    if value is None or fits(value, annotation):
        return value
    if (items := _items(text, annotation)) is not None:
        return [read(item, str) for item in items]
    return text if takes_text(annotation) else value


def _quoted(override: str, sweep: bool) -> str:
    match = OVERRIDE.fullmatch(override)
    if match is None or (key := match[2]) in (*GROUPS, "experiment", "sweep"):
        return override
    if key.startswith(("sweep.", "hydra.")) and key != "sweep.resume":
        return override  # how a sweep is run: Hydra's grammar alone
    annotation, start, text = declared_type(key), match[1], match[3]
    if SWEEP.fullmatch(text):
        return override
    if sweep and ((parsed := _parse(text)) is None or parsed.is_sweep_override()):
        return start + ",".join(_value(part, annotation) for part in split(text))
    return start + _value(text, annotation)


def _value(text: str, annotation: Any) -> str:
    """One value, quoted if it is text that Hydra would read otherwise."""
    parsed = _parse(text)
    if annotation is None and parsed:  # of a module of the user's, or unknown: its check follows
        return text
    is_one = parsed is not None and not parsed.is_sweep_override()
    if is_one and (text == text.strip() or not takes_text(annotation)):
        value = parsed.value()
        if value is None or fits(value, annotation):
            return text
    if (items := _items(text, annotation)) is not None:
        return f"[{','.join(_value(item, str) for item in items)}]"
    return quote(text) if parsed is None or takes_text(annotation) else text


def _items(text: str, annotation: Any) -> list[str] | None:
    """The parts of `[a, b]` where the setting is a list of texts."""
    is_list = re.fullmatch(r"\s*\[.*\]\s*", text, re.DOTALL) and takes_texts(annotation)
    return split(text.strip()[1:-1]) if is_list else None


def _parse(text: str) -> Any:
    """The value as Hydra reads it, as an override; None where it cannot."""
    try:
        return OverridesParser.create().parse_override(f"key={text}")
    except (HydraException, RecursionError):
        return None


def split(text: str) -> list[str]:
    """Cut at the commas that are not inside quotes or brackets; without blanks around the parts.

    >>> split("a, 'b, c', sepal length (cm)")
    ['a', "'b, c'", 'sepal length (cm)']
    """
    return [part.strip() for part in _cut(text)] if text.strip() else []


def _cut(text: str) -> Iterator[str]:
    start, closing, quotes = 0, [], ""
    for index, letter in enumerate(text):
        if quotes:
            quotes = "" if letter == quotes and text[index - 1] != "\\" else quotes
        elif letter in "'\"" and not text[start:index].strip(" ["):  # apostrophes are letters
            quotes = letter
        elif letter in PAIRS:
            closing.append(PAIRS[letter])
        elif closing and letter == closing[-1]:
            closing.pop()
        elif letter == "," and not closing:
            yield text[start:index]
            start = index + 1
    yield text[start:]
