"""Numbers as people write them: 1,234.5 or 1.234,5, 12 %, € 9, (3), and which a column means."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.data.tables.csv_file import is_missing, parse_number

NO_NUMBER = {  # in a column of numbers these are missing, besides what is missing everywhere
    "none", "-", "--", "---", "–", "—", ".", "..", "...", "n.a.", "n.a", "nil", "nat", "missing",
    "#n/a", "#na", "<na>", "#null!", "#value!", "#div/0!", "#ref!", "#num!", "#name?", "(null)",
    "\\n", "无", "缺失",
}  # fmt: skip
_CURRENCY = (
    r"(?:US|R|A|C|HK)?\$|[€£¥￥₹₩₽฿₺₫₴元円원]|USD|EUR|GBP|JPY|CNY|RMB|CHF|INR|KRW|AUD|CAD|SEK|NOK|DKK|"
    r"PLN|CZK|HUF|RUB|BRL|kr\.?|zł|Kč|Fr\.|Rs\.?"
)
_NUMBER = re.compile(
    rf"(?P<open>\()?(?P<sign>[+-])?\s*(?P<before>{_CURRENCY})?\s*(?P<inner>[+-])?"
    r"(?P<body>\d[\d.,'’ ]*|[.,]\d+)(?P<exponent>[eE][+-]?\d+)?\s*"
    rf"(?P<after>{_CURRENCY}|%)?(?P<close>\))?"
)
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:([.,'’ ])\d{3})(?:\1\d{3})*|[1-9]\d?(?:,\d\d)+,\d{3}")
_FORMS = str.maketrans(
    {"\xa0": " ", "\u202f": " ", "\u2009": " ", "\u3000": " ", "−": "-"}
    | dict(zip("％．，－＋（）", "%.,-+()", strict=True))
)


class Exact(str):
    """A number as a program wrote it, with a decimal point, whatever the notation of a column."""


@dataclass(frozen=True)
class Notation:
    """How a column writes numbers.

    Attributes:
        decimal: The sign before the fraction.
        grouped: Whether other signs part groups of three digits; always so with a decimal comma.
        unit: A percent sign or a currency, which is dropped.
    """

    decimal: str = "."
    grouped: bool = False
    unit: str = ""

    def parse(self, text: str) -> float | None:
        """A number, or None when the text is not one.

        What Python reads as a number is one in every notation, but for `1.234`, which is 1234 where
        the decimal sign is a comma.
        """
        is_exact = self.decimal == "." or isinstance(text, Exact)
        if is_exact and (plain := parse_number(text)) is not None:
            return plain
        parts = _parts(text)
        if parts is None or parts[3] not in ("", self.unit):
            return parse_number(text)
        sign, body, exponent, _ = parts
        value = _value(body, self.decimal)
        if value is None or not (self.grouped or self.decimal == "," or _is_simple(body)):
            return parse_number(text)
        return parse_number(f"{sign}{value}{exponent}")


def _parts(text: str) -> tuple[str, str, str, str] | None:
    """Sign, digits with their signs, exponent, unit."""
    match = _NUMBER.fullmatch(text.translate(_FORMS).strip())
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    signs = [sign for sign in (match["sign"], match["inner"]) if sign]
    units = [unit for unit in (match["before"], match["after"]) if unit]
    if len(signs) > 1 or len(units) > 1 or (signs and match["open"]):
        return None
    sign = "-" if match["open"] else "".join(signs)
    return sign, match["body"].strip(), match["exponent"] or "", "".join(units)


def _value(body: str, decimal: str) -> str | None:
    """Digits as Python reads them: `1234.5`; None where they are not written so."""
    whole, point, fraction = body.partition(decimal)
    if (point and not fraction.isdigit()) or not (whole or fraction):
        return None
    if whole and not whole.isdigit():
        if not _GROUPED.fullmatch(whole):
            return None
        whole = re.sub(r"\D", "", whole)
    return f"{whole or '0'}.{fraction}" if point else whole


def _is_simple(body: str) -> bool:
    return body.replace(".", "", 1).isdigit()


def is_no_number(text: str) -> bool:
    """Whether a cell in a column of numbers is missing: empty, NA, None, -, #N/A ..."""
    return is_missing(text) or text.strip().lower() in NO_NUMBER


def looks_numeric(text: str) -> bool:
    """Whether a cell is a number in some notation."""
    if parse_number(text) is not None:
        return True
    parts = _parts(text)
    return parts is not None and any(_value(parts[1], sign) is not None for sign in ".,")


def decimal_signs(texts: Sequence[str]) -> Counter[str]:
    """How many cells can only have a point, or a comma, as their decimal sign; "?": either."""
    signs: Counter[str] = Counter()
    for text in texts:
        parts = _parts(text)
        if parts is None or not re.search("[.,]", parts[1]):
            continue
        fits = [sign for sign in ".," if _value(parts[1], sign) is not None]
        signs["?" if len(fits) == 2 else fits[0] if fits else ""] += 1
    del signs[""]
    return signs


def units(texts: Sequence[str]) -> Counter[str]:
    """How many cells of numbers have which unit; zeros without one do not count."""
    return Counter(parts[3] for parts in map(_parts, texts) if parts and parts[1] != "0")


def find_notation(texts: Sequence[str], usual: str) -> Notation:
    """The notation of a column.

    Args:
        texts: Its cells that are not missing.
        usual: The decimal sign of the file, which decides where 1,234 may be either.

    Raises:
        ValueError: Cells that no single notation reads alike.
    """
    signs, unit = decimal_signs(texts), units(texts)
    if signs["."] and signs[","]:
        point, comma = (_example(texts, sign) for sign in ".,")
        raise ValueError(f"'{point}' has a decimal point, '{comma}' a decimal comma")
    if len(unit) > 1 and ("%" in unit or len(set(unit) - {""}) > 1):
        kinds = " and ".join(f"'{name}'" if name else "no unit" for name in sorted(unit))
        raise ValueError(f"its numbers have several units ({kinds})")
    decimal = next((sign for sign in ".," if signs[sign]), usual if signs["?"] else ".")
    bodies = [parts[1] for parts in map(_parts, texts) if parts]
    grouped = decimal == "." and any(_is_grouped(body) for body in bodies)
    return Notation(decimal, grouped, max(unit, default=""))


def _is_grouped(body: str) -> bool:
    return not _is_simple(body) and _value(body, ".") is not None


def _example(texts: Sequence[str], sign: str) -> str:
    return next(text for text in texts if decimal_signs([text])[sign])
