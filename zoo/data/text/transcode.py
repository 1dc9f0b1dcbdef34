"""Text files in other encodings, or compressed: a copy in UTF-8, made once and kept on the disk.

Running text is read in pieces, by offsets in bytes, which only UTF-8 allows.
"""

import codecs
import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from zoo.data.charset import encoding_of, read_text
from zoo.errors import UserError
from zoo.files import write_text

HEAD = 2**16  # bytes by which a file's encoding is told
LARGEST = 2**31  # bytes that are converted in memory
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")
WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # marks; UTF-32 LE's: 16's


class TextFile(NamedTuple):
    """A file of UTF-8.

    Attributes:
        path: The user's own, or a copy.
        name: For messages.
    """

    path: Path
    name: str


def utf8_files(files: Iterable[Path], folder: Path, root: str) -> tuple[list[TextFile], list[str]]:
    """The files, copies in their place where they are not UTF-8, and notes on those.

    Args:
        files: The user's.
        folder: Which they have in common.
        root: Of the cache.

    Raises:
        UserError: A damaged file, no room for a copy, an encoding that is not recognised.
    """
    found: list[TextFile] = []
    notes: list[str] = []
    for file in files:
        name = str(file.relative_to(folder))
        if is_plain(head := read_head(file)):
            found.append(TextFile(file, name))
            continue
        if file.stat().st_size > LARGEST:
            raise UserError(
                f"{file}: {_encoding(head)}, and too large to be converted in memory; convert it: "
                f"iconv -f {_encoding(head)} -t UTF-8 {file} > {file.stem}-utf8{file.suffix}"
            )
        content = read_text(file)
        notes += content.notes
        found.append(TextFile(_copy(content.text, root), name))
    return found, _few(notes)


def read_head(path: Path) -> bytes:
    """The first bytes of a file.

    Raises:
        UserError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def is_plain(head: bytes) -> bool:
    """Whether a file that begins so is UTF-8, as far as can be seen, and not compressed."""
    if head.startswith((*COMPRESSED, *WIDE)):
        return False
    if 4 * head.count(0) > len(head) and (encoding_of(head) or "").startswith("utf-16"):
        return False  # without a mark
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut
    except UnicodeDecodeError:
        return False
    return True


def is_wide(head: bytes) -> bool:
    """Whether the first bytes are a mark of UTF-16 or UTF-32, in which text is full of zeros."""
    return head.startswith(WIDE)


def _encoding(head: bytes) -> str:
    return (encoding_of(head[: head.rfind(b"\n") + 1] or head) or "<its encoding>").upper()


def _copy(text: str, root: str) -> Path:
    """A file in the cache with this text."""
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = Path(root) / "tokens" / f"utf8-{name}.txt"
    try:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
    except OSError as error:
        raise UserError(
            f"data.root={root}: no copy in UTF-8 can be written there ({error.strerror}); set "
            "data.root to a folder with free space, or save the file as UTF-8"
        ) from None
    return path


def _few(notes: list[str]) -> list[str]:
    """One note for many files that were read alike."""
    if len(notes) < 4:
        return notes
    kinds = Counter(note.partition(" is read as ")[2].partition(";")[0] for note in notes)
    listed = ", ".join(f"{number:,} as {kind}" for kind, number in kinds.items())
    return [f"files read in other encodings than UTF-8: {listed}; if not, save them as UTF-8"]
