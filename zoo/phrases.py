"""Phrases of messages: a number with what it counts, a part of a whole, the first of many."""

from collections.abc import Iterable


def plural(number: int, one: str, many: str = "") -> str:
    """`1 row`, `1,234 rows`; where an s does not make the plural, `many` is it."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def part_of(number: int, total: int, one: str) -> str:
    """`2 of 1,234 rows`; `the row`, where there is only one."""
    return f"the {one}" if number == total == 1 else f"{number:,} of {plural(total, one)}"


def first_few(items: Iterable[object], most: int = 3) -> str:
    """`a, b, c, ...`; without the dots, where that is all."""
    texts = list(map(str, items))
    return ", ".join(texts[:most]) + (", ..." if len(texts) > most else "")
