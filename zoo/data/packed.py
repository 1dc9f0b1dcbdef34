"""The bytes of a user's file: unpacked where it is compressed, refused where it is no text.

What a file is shows in its first bytes, not in its name.
"""

import bz2
import gzip
import importlib
import io
import lzma
import shlex
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from zoo.data.paths import not_found
from zoo.errors import UserError
from zoo.phrases import first_few

_PANDAS = "python -c {code}"
_EXCEL = "in Excel save it as 'CSV UTF-8'; or, with pandas and openpyxl installed: " + _PANDAS
_EXPORT = "export it as CSV from the program that wrote it"
FORMATS = (  # the first bytes, what such a file is, how it becomes a table of text
    (b"\xd0\xcf\x11\xe0", "an Excel workbook (.xls)", _EXCEL),
    (b"PAR1", "a Parquet file", "convert it: " + _PANDAS),
    (b"ARROW1", "an Arrow file", "convert it: " + _PANDAS),
    (b"\x89HDF", "an HDF5 file", _EXPORT),
    (b"\x93NUMPY", "a NumPy array", "save it by numpy.savetxt(..., delimiter=',', header=...)"),
    (b"SQLite format 3", "an SQLite database", "sqlite3 -header -csv {path} 'select ...' > {csv}"),
    (b"%PDF", "a PDF", _EXPORT),
    (b"\x89PNG", "an image", "expected a table or a text"),
    (b"\xff\xd8\xff", "an image", "expected a table or a text"),
    (b"$FL", "an SPSS file", _EXPORT),
    (b"<stata_dta", "a Stata file", "convert it: " + _PANDAS),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "git lfs pull"),
)
_DAMAGE = (
    OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError,
    zipfile.BadZipFile,
)  # fmt: skip
READERS = {b"PAR1": "parquet", b"ARROW1": "feather", b"<stata_dta": "stata"}
IN_ZIP = (  # a member, what such a zip is, how it becomes a table of text
    ("xl/workbook.", "an Excel workbook", _EXCEL),
    ("word/document.xml", "a Word document", _EXPORT),
    ("content.xml", "an OpenDocument file", "save it as CSV in LibreOffice"),
)


def read_unpacked(path: Path) -> bytes:
    """The content of a file; of a compressed one (gzip, bzip2, xz, zstd, zip) what it holds.

    Raises:
        UserError: No such file, damaged, an archive of several files, or no text but a known
            format, with how to convert it.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{_shown(path)}: cannot be read: {reason}") from error
    try:
        raw = _unpacked(raw, path)
    except _DAMAGE as error:
        raise UserError(f"{path}: the compressed file is damaged: {error}") from error
    _check_format(raw, path)
    return raw


def _missing(path: Path) -> UserError:
    if str(path).startswith(("http:/", "https:/", "s3:/", "ftp:/")):
        address = str(path).replace(":/", "://", 1)
        return UserError(f"{address}: this is an address; download the file and name its path here")
    return not_found(path)


def _shown(path: Path) -> str:
    """A path, shortened where it is none, but a text too long for a name."""
    return str(path) if len(str(path)) < 200 else f"{str(path)[:60]}..."


def _unpacked(raw: bytes, path: Path) -> bytes:
    unpackers: dict[bytes, Callable[[bytes], bytes]] = {
        b"\x1f\x8b": gzip.decompress,
        b"BZh": bz2.decompress,
        b"\xfd7zXZ\x00": lzma.decompress,
        b"\x28\xb5\x2f\xfd": lambda packed: _zstd(packed, path),
        b"PK\x03\x04": lambda packed: _member(packed, path),
        b"PK\x05\x06": lambda packed: _member(packed, path),
    }
    for magic, unpack in unpackers.items():
        if raw.startswith(magic):
            return unpack(raw)
    if raw.startswith((b"7z\xbc\xaf", b"Rar!")):
        raise UserError(f"{path}: an archive (7z, rar) is not read; unpack it, and name the file")
    return raw


def _zstd(packed: bytes, path: Path) -> bytes:
    try:
        zstd = importlib.import_module("compression.zstd")
    except ImportError:
        raise UserError(
            f"{path}: Python reads zstd from version 3.14 on; unpack the file: zstd -d {path}"
        ) from None
    try:
        content: bytes = zstd.decompress(packed)
    except zstd.ZstdError as error:
        raise ValueError(error) from error
    return content


def _member(packed: bytes, path: Path) -> bytes:
    """The only file of a zip; what a Mac adds does not count."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        for member, what, fix in IN_ZIP:
            if any(name.startswith(member) for name in names):
                raise UserError(f"{path}: this is {what}; {_filled(fix, path, 'excel')}")
        names = [n for n in names if "__MACOSX" not in n and not n.endswith(".DS_Store")]
        if len(names) != 1:
            raise UserError(
                f"{path}: the zip has {len(names)} files ({first_few(names)}); expected one: "
                f"unpack it, and name the file to read"
            )
        if archive.getinfo(names[0]).flag_bits & 1:
            raise UserError(f"{path}: the zip is encrypted; unpack it, and name the file in it")
        return archive.read(names[0])


def _check_format(raw: bytes, path: Path) -> None:
    for magic, what, fix in FORMATS:
        if raw.startswith(magic):
            reader = READERS.get(magic, "excel")
            raise UserError(f"{path}: this is {what}; {_filled(fix, path, reader)}")
    if raw[257:262] == b"ustar":
        raise UserError(f"{path}: this is an archive; unpack it (tar -xf {path}), name the file")


def _filled(fix: str, path: Path, reader: str) -> str:
    csv = f"{path.stem}.csv"
    code = f"import pandas; pandas.read_{reader}({str(path)!r}).to_csv({csv!r}, index=False)"
    code = shlex.quote(code) if '"' in code else f'"{code}"'
    return fix.format(path=shlex.quote(str(path)), csv=shlex.quote(csv), code=code)
