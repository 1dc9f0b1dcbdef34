"""Text files: which of a folder are text, and reading them piece by piece."""

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.text import files as text_files
from zoo.data.text.files import find_texts, line_boundary, pieces
from zoo.errors import UserError

LINE = "The quick brown fox jumps over the lazy dog, again and again.\n"


@given(
    text=st.text(st.sampled_from("ab \n\r明é🙂"), max_size=80),
    size=st.integers(4, 20),
    start=st.integers(0, 60),
)
@settings(max_examples=100, deadline=None)
def test_pieces_are_the_text_whatever_their_size(text, size, start, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "pieces.txt"
    raw = text.encode()
    path.write_bytes(raw)
    before = text_files.PIECE
    text_files.PIECE = size
    try:
        cut = line_boundary(path, min(start, len(raw)), 10)
        actual = [*pieces(path, 0, cut), *pieces(path, cut)]
    finally:
        text_files.PIECE = before
    plain = raw[:cut].decode().replace("\r\n", "\n") + raw[cut:].decode().replace("\r\n", "\n")
    assert "".join(actual) == plain
    assert all(len(piece.encode()) <= 2 * size + 4 for piece in actual)


def test_folders_give_what_is_text(write, tmp_path):
    for name in ("b/one.TXT", "a/two.md", "a/README", "code.py"):
        write(f"all/{name}", LINE)
    write("all/.hidden.txt", "x")
    write("all/.git/config.txt", "x")
    write("all/photo.jpg", b"\xff\xd8\0")
    write("all/empty.txt", "")
    write("all/mark.txt", b"\xef\xbb\xbf")
    write("all/program.txt", b"\x7fELF\0\0")
    folder, files, notes = find_texts(str(tmp_path / "all"))
    names = [str(file.relative_to(folder)) for file in files]
    assert names == ["a/README", "a/two.md", "b/one.TXT", "code.py"]
    assert notes == ["files left out: 1 binary, 2 empty, 1 of another kind (1 .jpg)"]


def test_a_pattern_in_a_folder_and_a_glob(write, tmp_path):
    for name in ("a/one.txt", "a/two.xyz", "b/three.xyz", "four.xyz"):
        write(f"all/{name}", LINE)

    def names(path, pattern=None):
        folder, files, _ = find_texts(str(tmp_path / path), pattern)
        return [str(file.relative_to(folder)) for file in files]

    assert names("all", "*.xyz") == ["a/two.xyz", "b/three.xyz", "four.xyz"]
    assert names("all", "a/*") == ["a/one.txt", "a/two.xyz"]
    assert names("all/*.xyz") == ["four.xyz"] and names("all/*/t*.xyz") == [
        "a/two.xyz",
        "b/three.xyz",
    ]
    assert names("all/**/*.xyz") == ["a/two.xyz", "b/three.xyz", "four.xyz"]


def test_a_pattern_needs_a_folder(write, tmp_path):
    write("all/one.txt", LINE)
    for path, kind in (("all/one.txt", "a file"), ("all/*.txt", "a pattern itself")):
        with pytest.raises(
            UserError, match=rf"data.pattern='\*.md' .* is {kind}; data.pattern=null"
        ):
            find_texts(str(tmp_path / path), "*.md")


def test_compressed_texts_are_found_by_a_pattern(write, tmp_path):
    write("all/one.txt.gz", gzip.compress(LINE.encode()))
    write("all/many.tar.gz", gzip.compress(b"\0" * 600))
    for path, pattern in (("all", "*.gz"), ("all/*.gz", None)):
        _, files, notes = find_texts(str(tmp_path / path), pattern)
        assert [file.name for file in files] == ["one.txt.gz"]
        assert notes == ["files left out: 1 binary"]


def test_what_cannot_be_looked_into_is_said(write, tmp_path, monkeypatch):
    write("all/one.txt", LINE)
    write("elsewhere/two.txt", LINE)
    (tmp_path / "all" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "all" / "gone.txt").symlink_to(tmp_path / "nowhere.txt")
    _, files, notes = find_texts(str(tmp_path / "all"))
    assert [file.name for file in files] == ["one.txt"]
    assert notes == [
        "files left out: 1 missing (a broken link) or no regular file, those of 1 linked folder "
        "(linked)"
    ]
    closed, scan = tmp_path / "all" / "closed", os.scandir
    closed.mkdir()

    def refuse(path):
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match="closed cannot be read: Permission denied"):
        find_texts(str(tmp_path / "all"))
