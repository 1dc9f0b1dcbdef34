"""Decoded images are kept on the disk: read again where nothing changed, and only there."""

import os

import pytest
import torch
from PIL import Image
from sample_images import photos

from zoo.data.images import pixel_cache
from zoo.data.images.pixel_cache import PixelCache
from zoo.data.images.reader import ImageReader

READER = ImageReader(3, (8, 8), "crop", 10_000)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(pixel_cache, "MIN_FILES", 1)


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "photos"
    photos(folder)
    (folder / "broken.png").write_bytes(b"")
    return sorted(folder.rglob("*.*"))


class Decoded(Exception):
    pass


def read(root, files, reader=READER):
    return PixelCache(str(root)).read_all(reader, files, 0)


def read_without_decoding(root, files, monkeypatch, reader=READER):
    def refuse(*_):
        raise Decoded

    with monkeypatch.context() as patch:
        patch.setattr(ImageReader, "read_all", refuse)
        return read(root, files, reader)


def test_a_second_reading_decodes_nothing_and_is_equal(tmp_path, files, monkeypatch):
    images, facts = read(tmp_path, files)
    again, same = read_without_decoding(tmp_path, files, monkeypatch)
    assert torch.equal(images, again) and facts == same
    assert facts[files.index(tmp_path / "photos" / "broken.png")].reason == "0 bytes"
    expected, _ = READER.read_all(files, 0)
    assert torch.equal(again, expected)


def other_pixels_same_size_and_time(files, tmp_path):
    content, before = files[-1].read_bytes(), files[-1].stat()
    files[-1].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(files[-1], ns=(before.st_atime_ns, before.st_mtime_ns))
    return files, READER


CHANGES = {
    "a file was replaced": other_pixels_same_size_and_time,
    "a file is gone": lambda files, _: (files[1:], READER),
    "another size": lambda files, _: (files, ImageReader(3, (4, 8), "crop", 10_000)),
    "grey": lambda files, _: (files, ImageReader(1, (8, 8), "crop", 10_000)),
    "squashed": lambda files, _: (files, ImageReader(3, (8, 8), "squash", 10_000)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_decoded_again(tmp_path, files, monkeypatch, change):
    read(tmp_path, files)
    changed, reader = CHANGES[change](files, tmp_path)
    with pytest.raises(Decoded):
        read_without_decoding(tmp_path, changed, monkeypatch, reader)


@pytest.mark.parametrize("ending", [".npy", ".json"])
@pytest.mark.parametrize("cut", [0, 100, -1])
def test_a_damaged_cache_is_made_again(tmp_path, files, ending, cut):
    images, facts = read(tmp_path, files)
    (path,) = (tmp_path / "images").glob(f"*{ending}")
    path.write_bytes(path.read_bytes()[:cut])
    again, same = read(tmp_path, files)
    assert torch.equal(images, again) and facts == same


def test_a_changed_byte_of_the_cache_is_noticed(tmp_path, files):
    images, _ = read(tmp_path, files)
    (path,) = (tmp_path / "images").glob("*.npy")
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    assert torch.equal(read(tmp_path, files)[0], images)


def test_where_nothing_can_be_written_it_is_said(tmp_path, files):
    (tmp_path / "root").write_text("a file")
    cache = PixelCache(str(tmp_path / "root"))
    images, _ = cache.read_all(READER, files, 0)
    assert images.any() and "data.root" in cache.notes[0]


def test_a_run_uses_it(tmp_path, train, monkeypatch):
    folder = tmp_path / "own"
    for i in range(40):
        path = folder / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (6 * i, 90 * (i % 2), 0)).save(path)
    words = [
        "data=image_folder", f"data.path={folder}", f"data.root={tmp_path}", "data.size=8",
        "data.workers=0", "trainer.max_steps=2",
    ]  # fmt: skip
    train(*words)
    monkeypatch.setattr(ImageReader, "read_all", lambda *_: pytest.fail("decoded again"))
    train(*words)
