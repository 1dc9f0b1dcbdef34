"""A text of any length, read piece by piece."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from zoo.data.progress import Progress

PIECE = 2**20  # characters of a text in memory that are processed together


@dataclass(frozen=True)
class Document:
    """One file or article.

    Attributes:
        name: For messages.
        size: UTF-8 bytes.
        pieces: Gives its text, in pieces of any length, each time it is called.
        raw: Gives its bytes, where they are available; they are faster to hash.
        origin: What it is a part of (a package), where that tells its style and subject.
    """

    name: str
    size: int
    pieces: Callable[[], Iterator[str]]
    raw: Callable[[], Iterator[bytes]] | None = None
    origin: str = ""

    @classmethod
    def of(cls, name: str, text: str, origin: str = "") -> "Document":
        """A text held in memory."""
        return cls(name, byte_length(text), lambda: _slices(text), origin=origin)


def _slices(text: str) -> Iterator[str]:
    """A text in pieces that end with a line, a word, or anywhere."""
    start = 0
    while len(text) - start > PIECE:
        limit = start + PIECE
        stop = text.rfind("\n", start, limit) + 1 or text.rfind(" ", start, limit) + 1 or limit
        yield text[start:stop]
        start = stop
    yield text[start:]


Documents = Mapping[str, Sequence[Document]]  # by split


def read(documents: Iterable[Document], what: str) -> Iterator[str]:
    """The pieces of documents, with a progress bar."""
    documents = list(documents)
    with Progress(what, total_size(documents), "B") as progress:
        for document in documents:
            for piece in document.pieces():
                yield piece
                progress.update(byte_length(piece))


def sample(documents: Sequence[Document], limit: int, what: str) -> Iterator[str]:
    """The pieces of documents; of more than `limit` bytes every second, third ..., evenly."""
    stride = max(1, -(-total_size(documents) // limit))
    for number, piece in enumerate(read(documents, what)):
        if number % stride == 0:
            yield piece


def total_size(documents: Iterable[Document]) -> int:
    """UTF-8 bytes of all."""
    return sum(document.size for document in documents)


def byte_length(text: str) -> int:
    """How many bytes of UTF-8 a text takes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def digest(documents: Documents, what: str) -> str:
    """SHA-256 over names of splits and contents of documents, in order."""
    total = hashlib.sha256()
    size = sum(total_size(members) for members in documents.values())
    with Progress(f"reading {what}", size, "B") as progress:
        for split, members in documents.items():
            total.update(f"{split} {len(members)}\n".encode())
            for document in members:
                content = hashlib.sha256()
                for piece in _bytes(document):
                    content.update(piece)
                    progress.update(len(piece))
                total.update(content.digest())
    return total.hexdigest()


def _bytes(document: Document) -> Iterator[bytes]:
    if document.raw is not None:
        return document.raw()
    return (piece.encode("utf-8", "surrogatepass") for piece in document.pieces())
