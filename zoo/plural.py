"""A number with what it counts."""


def plural(number: int, one: str, many: str = "") -> str:
    """`1 row`, `1,234 rows`; where an s does not make the plural, `many` is it."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
