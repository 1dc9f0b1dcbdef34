"""Compressed files are unpacked; what is no text is named, with how to convert it."""

import bz2
import gzip
import io
import lzma
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from zoo.data.packed import read_unpacked
from zoo.errors import UserError

TEXT = b"a,b\n1,2\n"


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "/").replace("-", "_"), content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "raw",
    [
        TEXT,
        gzip.compress(TEXT, mtime=0),
        bz2.compress(TEXT),
        lzma.compress(TEXT),
        zipped(**{"t.csv": TEXT, "--MACOSX_.t.csv": b"x"}),
    ],
)
def test_it_is_unpacked_whatever_its_name(write, raw):
    assert read_unpacked(Path(write("t.csv", raw))) == TEXT


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (gzip.compress(TEXT, mtime=0)[:-9], "the compressed file is damaged"),
        (bz2.compress(TEXT)[:-9], "the compressed file is damaged"),
        (b"PK\x03\x04 no zip", "the compressed file is damaged"),
        (zipped(**{"a.csv": TEXT, "b.csv": TEXT}), r"has 2 files \(a.csv, b.csv\); expected one"),
        (zipped(**{"xl_workbook.xml": b""}), "an Excel workbook; in Excel save it as 'CSV UTF-8'"),
        (b"\xd0\xcf\x11\xe0", r"an Excel workbook \(.xls\).*pandas.read_excel\('.*t.csv'\)"),
        (b"PAR1", "a Parquet file; convert it: python -c .*pandas.read_parquet"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS.*git lfs pull"),
        (b"7z\xbc\xaf", "unpack it, and name the file"),
    ],
)
def test_what_is_no_text_is_named(write, raw, said):
    with pytest.raises(UserError, match=said):
        read_unpacked(Path(write("t.csv", raw)))


def test_zstd_is_read_where_python_does(write, monkeypatch):
    path = Path(write("t.csv.zst", b"\x28\xb5\x2f\xfd damaged"))
    with pytest.raises(UserError, match=f"from version 3.14 on.*zstd -d {path}|is damaged"):
        read_unpacked(path)
    zstd = SimpleNamespace(decompress=lambda packed: TEXT, ZstdError=ValueError)
    monkeypatch.setitem(sys.modules, "compression", SimpleNamespace(zstd=zstd))
    monkeypatch.setitem(sys.modules, "compression.zstd", zstd)
    assert read_unpacked(path) == TEXT


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "no.csv", "https://example.org/t.csv"])
def test_what_cannot_be_opened_is_one_short_line(name):
    with pytest.raises(UserError) as error:
        read_unpacked(Path(name))
    assert len(str(error.value)) < 200
