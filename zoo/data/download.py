"""Published files: found on the disk, or downloaded from the first mirror that works; verified.

A file is used only if its SHA-256 is the known one. A download goes to a temporary file next to its
destination, is verified there and renamed: a file under its own name is always complete.
"""

import gzip
import hashlib
import http.client
import io
import urllib.error
import urllib.request
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from zoo.data.progress import Progress
from zoo.errors import UserError
from zoo.files import atomic_write

TIMEOUT = 20.0  # seconds without a byte
_CHUNK = 1 << 18


class WrongContent(Exception):
    """A file that is not the published one; the message says why."""


@dataclass(frozen=True)
class Remote:
    """A file as published.

    Attributes:
        name: `train-images-idx3-ubyte.gz`.
        mirrors: Base URLs, tried in this order.
        size: Bytes of the content when unpacked (`.gz`, or `.zip` with a file of its name), no
            more are ever unpacked; None leaves the file packed.
        sha256: Of the file as published; None when only its content is known.
        content_sha256: Of the content when unpacked; None when only the file is known. Where it is
            known, the file on the disk may also be the unpacked one.
    """

    name: str
    mirrors: tuple[str, ...]
    size: int | None = None
    sha256: str | None = None
    content_sha256: str | None = None

    @property
    def names(self) -> list[str]:
        """The names that it may have on disk."""
        plain = [_plain(self.name)] if self.content_sha256 else []
        return list(dict.fromkeys([self.name, *plain]))

    def check(self, raw: bytes, packed: bool) -> bytes:
        """The decompressed content of `raw`, verified.

        Raises:
            WrongContent: It is not the published file.
        """
        assert self.sha256 or self.content_sha256, f"{self.name}: no known SHA-256"
        if self.sha256 is not None and packed:
            _compare(raw, self.sha256)
        if self.size is None:
            return raw
        content = _unpack(raw, self.size, self.name) if packed else raw
        if len(content) != self.size:
            more = "more than " if len(content) > self.size else ""
            raise WrongContent(
                f"{more}{min(len(content), self.size):,} bytes of content, expected {self.size:,}"
            )
        if self.content_sha256 is not None:
            _compare(content, self.content_sha256)
        return content


def fetch(remote: Remote, root: str, name: str) -> bytes:
    """The verified content of a published file.

    Args:
        remote: Which file.
        root: Folder that holds it, itself or in its subfolder `name`; a download goes there.
        name: The dataset.

    Raises:
        UserError: It is there but damaged, or no mirror has it.
    """
    folders = [Path(root) / name, Path(root)]
    for path in (folder / file_name for folder in folders for file_name in remote.names):
        if path.is_file():
            try:
                return remote.check(path.read_bytes(), packed=path.name == remote.name)
            except WrongContent as error:
                raise UserError(
                    f"{path} is not the published file of {name}: {error}; delete it (it is then "
                    "downloaded again) or set data.root to another folder"
                ) from error
            except OSError as error:
                raise UserError(f"{path} cannot be read: {error.strerror}") from error
    return download(remote, folders[0], name)


def download(remote: Remote, folder: Path, name: str) -> bytes:
    """Download into `folder` from the first mirror that gives the published file; its content."""
    fix = f"download it by other means and set data.root=<folder holding {remote.name}>"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / remote.name) as file:
            return _from_mirrors(remote, file, name, fix)
    except OSError as error:
        raise UserError(
            f"{name}: {remote.name} is not in {folder} or {folder.parent}, and nothing can be "
            f"written there ({error.strerror}); {fix}"
        ) from error


def _from_mirrors(remote: Remote, file: BinaryIO, name: str, fix: str) -> bytes:
    """Fill `file` from the first mirror that gives the published one; its content."""
    problems = []
    for mirror in remote.mirrors:
        try:
            _stream(mirror + remote.name, file)
            file.seek(0)
            return remote.check(file.read(), packed=True)
        except (OSError, http.client.HTTPException, WrongContent, ValueError) as error:
            problems.append(f"{mirror}: {_why(error)}")
    raise UserError(f"{name}: {remote.name} could not be downloaded ({'; '.join(problems)}); {fix}")


def _stream(url: str, file: BinaryIO) -> None:
    """Replace the content of an open file by what `url` gives."""
    file.seek(0)
    file.truncate()
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        length = answer.headers.get("Content-Length")
        total = int(length) if length else None
        received = 0
        with Progress(f"downloading {url}", total, "B") as progress:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                received += len(chunk)
                progress.update(len(chunk))
        if total is not None and received != total:
            raise WrongContent(f"the connection broke after {received:,} of {total:,} bytes")


def _plain(name: str) -> str:
    return name.removesuffix(".gz").removesuffix(".zip")


def _unpack(raw: bytes, limit: int, name: str) -> bytes:
    """Gunzip or unzip, stopping one byte after `limit`; other files are left unchanged."""
    try:
        if name.endswith(".gz"):
            with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
                return file.read(limit + 1)
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(raw)) as archive, archive.open(_plain(name)) as member:
                return member.read(limit + 1)
        return raw
    except EOFError as error:
        raise WrongContent(f"truncated after {len(raw):,} bytes") from error
    except KeyError as error:
        raise WrongContent(f"a zip file without {_plain(name)} in it") from error
    except (OSError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        kind = name.rpartition(".")[2]
        raise WrongContent(
            f"not a valid {'gzip' if kind == 'gz' else kind} file ({error})"
        ) from error


def _compare(data: bytes, expected: str) -> None:
    digest = hashlib.sha256(data).hexdigest()
    if digest != expected:
        raise WrongContent(f"SHA-256 {digest[:12]}..., expected {expected[:12]}...")


def _why(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(getattr(error.reason, "strerror", None) or error.reason)
    return str(error) or type(error).__name__
