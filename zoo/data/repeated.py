"""Files with the same content."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

PART = 1 << 16  # bytes at either end of a file that identify it together with its size


def repeated(files: Sequence[Path]) -> list[list[int]]:
    """Groups of files with the same content: numbers of the files, two or more in a group."""
    by_size: dict[int, list[int]] = defaultdict(list)
    for i, file in enumerate(files):
        by_size[file.stat().st_size].append(i)
    groups: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for size, members in by_size.items():
        for i in members if len(members) > 1 else ():
            groups[size, _digest(files[i], size)].append(i)
    return [group for group in groups.values() if len(group) > 1]


def _digest(file: Path, size: int) -> bytes:
    with file.open("rb") as content:
        digest = hashlib.sha256(content.read(PART))
        if size > PART:
            content.seek(max(PART, size - PART))
            digest.update(content.read(PART))
    return digest.digest()
