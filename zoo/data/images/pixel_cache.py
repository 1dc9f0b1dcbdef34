"""Decoded images, kept on the disk: the runs of a sweep decode a folder once.

They are in `<root>/images`, named by the form in which they are decoded and by what the system says
of each file: its path, size, times and inode. Pixels are an array (.npy), what is to be said of the
files is JSON, written last; where either is damaged or missing, the images are decoded again.
"""

import contextlib
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoo.data.images.decode import Facts
from zoo.data.images.reader import ImageReader
from zoo.files import atomic_write, write_text

VERSION = 1  # of the cached form
MIN_FILES = 1_000  # fewer are decoded in a moment


class PixelCache:
    """The decoded images of one folder.

    Args:
        root: Folder of the cache (`data.root`).
    """

    def __init__(self, root: str) -> None:
        self.folder = Path(root) / "images"
        self.notes: list[str] = []

    def read_all(
        self, reader: ImageReader, files: Sequence[Path], workers: int
    ) -> tuple[Tensor, dict[int, Facts]]:
        """As `ImageReader.read_all`, from the cache where no file has changed since."""
        if len(files) < MIN_FILES:
            return reader.read_all(files, workers)
        path = self.folder / f"{_key(reader, files)}.npy"
        if (known := _load(path, (len(files), *reader.shape))) is not None:
            return known
        images, facts = reader.read_all(files, workers)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _save(path, images, facts)
        except OSError as error:
            self.notes.append(
                f"the decoded images cannot be cached in {self.folder} "
                f"({error.strerror or error}), so each run decodes again; set data.root to a "
                "folder with free space"
            )
        return images, facts


def _key(reader: ImageReader, files: Sequence[Path]) -> str:
    """Changes when a file does: the time of its last change of status cannot be set by programs."""
    import PIL

    digest = hashlib.sha256(f"{VERSION} {PIL.__version__} {asdict(reader)}".encode())
    for file in files:
        digest.update(b"%d " % len(name := bytes(file.absolute())) + name)
        with contextlib.suppress(OSError):  # decoding says what is wrong with it
            s = file.stat()
            digest.update(f"{s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino}".encode())
    return digest.hexdigest()[:32]


def _save(path: Path, images: Tensor, facts: dict[int, Facts]) -> None:
    content = {
        "crc32": zlib.crc32(images.numpy().data),
        "facts": {i: asdict(found) for i, found in facts.items()},
    }
    with atomic_write(path) as file:
        np.save(file, images.numpy())
    write_text(path.with_suffix(".json"), json.dumps(content))


def _load(path: Path, shape: tuple[int, ...]) -> tuple[Tensor, dict[int, Facts]] | None:
    """What was saved; None where it is missing or damaged."""
    try:
        content = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        facts = {int(i): _facts(found) for i, found in content["facts"].items()}
        pixels = np.load(path)
    except Exception:  # damaged in any way
        return None
    is_whole = pixels.shape == shape and pixels.dtype == np.uint8
    if not is_whole or zlib.crc32(pixels.data) != content.get("crc32"):
        return None
    return torch.from_numpy(pixels), facts


def _facts(found: dict) -> Facts:
    values = found.pop("values")
    return Facts(**found, values=None if values is None else tuple(values))
