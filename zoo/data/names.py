"""Names of classes and categories that people write in more than one way."""

import unicodedata
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation


def note_alike(names: Iterable[str], where: str, what: str) -> list[str]:
    """A note where names mean the same to a reader; they are kept apart.

    They differ in capitals, spaces, the form of their characters, or as `1` and `1.0`.

    Args:
        names: All of them, in any order.
        where: What they belong to, such as `target 'kind'`.
        what: What they are, such as `classes`.
    """
    groups: dict[str | Decimal, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(_meaning(name), []).append(name)
    alike = [group for group in groups.values() if len(group) > 1]
    if not alike:
        return []
    shown = "; ".join(" and ".join(f"'{name}'" for name in group) for group in alike[:3])
    more = ", ..." if len(alike) > 3 else ""
    return [f"{where}: {shown}{more} are different {what}; if not, write them alike"]


def _meaning(name: str) -> str | Decimal:
    text = "".join(unicodedata.normalize("NFKC", name).casefold().split())
    try:
        number = Decimal(text)  # exact, where long numbers are alike as floats
    except InvalidOperation:
        return text
    is_code = text[0] == "0" and text.isdigit() and len(text) > 1  # 01 is none of 1
    return text if is_code or not number.is_finite() else number
