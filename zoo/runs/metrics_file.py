"""metrics.jsonl: the losses and metrics of a run, a JSON object a line, readable while it grows."""

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.errors import UserError
from zoo.files import atomic_write, sync_folder

Row = dict[str, Any]  # "step", "split", and a number for each metric; nan where the file has null


def read_rows(file: Path) -> Iterator[Row]:
    """The rows of a file; a last line that is still being written is left out.

    Raises:
        UserError: The file cannot be read, or a line is no row.
    """
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if (row := _row(line)) is not None:
                    yield row
                elif line.endswith(b"\n"):
                    raise UserError(
                        f"{file}, line {number} is no row of metrics; resuming the run drops "
                        f"damaged lines"
                    )
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}") from None


def _row(line: bytes) -> Row | None:
    """A line as a row, None if it is none or is not complete."""
    with contextlib.suppress(ValueError, RecursionError):
        row = json.loads(line)
        complete = line.endswith(b"\n") and isinstance(row, dict)
        if complete and isinstance(row.get("step"), int) and isinstance(row.get("split"), str):
            return {name: math.nan if value is None else value for name, value in row.items()}
    return None


def cut(file: Path, size: int) -> tuple[list[Row], int]:
    """Cut a file to its first `size` bytes, as a checkpoint counted them, for writing on.

    Where the file is shorter than that or damaged, its complete rows are kept.

    Returns:
        The rows that remain, and the number of bytes that were lost.

    Raises:
        OSError: The file cannot be read or written.
    """
    content = b""
    with contextlib.suppress(FileNotFoundError):
        content = file.read_bytes()
    lines = content[:size].splitlines(keepends=True)
    whole = [(line, row) for line in lines if (row := _row(line)) is not None]
    kept = b"".join(line for line, _ in whole)
    if kept != content or not file.exists():
        with atomic_write(file) as copy:
            copy.write(kept)
    sync_folder(file.parent)
    return [row for _, row in whole], size - len(kept)
