"""Files and folders appear complete or not at all, and leave nothing else."""

import os
import re
import threading
from pathlib import Path

import pytest

from zoo.errors import UserError
from zoo.files import (
    atomic_folder,
    atomic_write,
    sync_folder,
    user_path,
    write_synced,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def calls(monkeypatch):
    """What is asked of the disk, in order: (what, name of the file or folder)."""
    noted = []

    def noting(function, note):
        def call(*arguments, **options):
            noted.append(note(*arguments))
            return function(*arguments, **options)

        return call

    def flushed(number):
        return "fsync", Path(f"/proc/self/fd/{number}").readlink().name

    monkeypatch.setattr(os, "fsync", noting(os.fsync, flushed))
    for name in ("rename", "replace"):
        renamed = noting(getattr(Path, name), lambda path, to: ("rename", to.name))
        monkeypatch.setattr(Path, name, renamed)
    return noted


@pytest.mark.parametrize("before", [None, b"old"])
def test_a_file_appears_when_the_block_ends(tmp_path, before):
    path = tmp_path / "table.bin"
    if before is not None:
        path.write_bytes(before)
    with atomic_write(path) as file:
        file.write(b"new and ")
        file.write(b"whole")
        assert (path.read_bytes() if path.exists() else None) == before
    assert path.read_bytes() == b"new and whole" and names(tmp_path) == ["table.bin"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), ValueError("no")])
def test_an_error_in_the_block_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "table.bin"
    path.write_bytes(b"old")
    with pytest.raises(type(error)), atomic_write(path) as file:
        file.write(b"half of")
        raise error
    assert path.read_bytes() == b"old" and names(tmp_path) == ["table.bin"]


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_the_old_file(tmp_path, monkeypatch, name):
    path = tmp_path / "result.json"
    write_text(path, "old")

    def fail(*arguments):
        raise OSError("power cut")

    monkeypatch.setattr(os if name == "fsync" else Path, name, fail)
    with pytest.raises(OSError, match="power cut"):
        write_text(path, "new")
    assert path.read_text() == "old" and names(tmp_path) == ["result.json"]


def test_a_file_is_on_the_disk_before_it_gets_its_name(tmp_path, calls):
    with atomic_write(tmp_path / "file") as file:
        file.write(b"content")
        temporary = Path(file.name).name
    assert calls == [("fsync", temporary), ("rename", "file"), ("fsync", tmp_path.name)]


def test_what_is_written_can_be_read_back_before_it_counts(tmp_path):
    with atomic_write(tmp_path / "file") as file:
        file.write(b"wrong, and longer")
        file.seek(0)
        file.truncate()
        file.write(b"right")
        file.seek(0)
        assert file.read() == b"right"
    assert (tmp_path / "file").read_bytes() == b"right"


def test_writers_at_once_never_mix(tmp_path):
    path, contents = tmp_path / "file", [bytes([k]) * 100_000 for k in range(8)]

    def write(content):
        with atomic_write(path) as file:
            for k in range(0, len(content), 1000):
                file.write(content[k : k + 1000])

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents and names(tmp_path) == ["file"]


def test_a_folder_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "deep" / "model"
    with atomic_folder(path) as folder:
        (folder / "a").write_text("1")
        assert not path.exists()
    assert names(path) == ["a"] and names(path.parent) == ["model"]


def test_a_folders_names_are_on_the_disk_before_it_gets_its_own(tmp_path, calls):
    with atomic_folder(tmp_path / "model") as folder:
        write_synced(folder / "a", b"1")
    expected = [("fsync", "a"), ("fsync", folder.name), ("rename", "model")]
    assert calls == [*expected, ("fsync", tmp_path.name)]


def test_an_error_leaves_the_old_folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").write_text("")
    with pytest.raises(ValueError, match="no"), atomic_folder(path, replace=True) as folder:
        (folder / "new").write_text("")
        raise ValueError("no")
    assert names(path) == ["old"] and names(tmp_path) == ["model"]


def test_a_folder_that_exists_is_replaced_only_where_asked(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").write_text("")
    with pytest.raises(OSError), atomic_folder(path) as folder:
        (folder / "new").write_text("")
    assert names(path) == ["old"] and names(tmp_path) == ["model"]
    with atomic_folder(path, replace=True) as folder:
        (folder / "new").write_text("")
    assert names(path) == ["new"] and names(tmp_path) == ["model"]


def test_a_folder_that_cannot_be_opened_is_no_error(tmp_path):
    sync_folder(tmp_path / "nowhere")


def test_a_path_as_typed(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/runs") == tmp_path / "runs" and user_path("a/~b") == Path("a/~b")
    for text, said in {
        "~nobody-of-that-name/x": "'~nobody-of-that-name' is nobody's home folder here",
        f"a/{'é' * 150}": "a name of 300 bytes, of at most 255",
        "a\0b": "no path holds a zero byte",
    }.items():
        with pytest.raises(UserError, match=re.escape(said)):
            user_path(text)
