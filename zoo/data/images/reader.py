"""Many image files decoded by worker processes, into one tensor or on demand."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.batch import Batch
from zoo.data.images.decode import BrokenImage, Facts, check_file, decode, decode_and_look
from zoo.data.images.levels import Levels, levels_of
from zoo.data.progress import Progress

_CHUNK_BYTES = 4 << 20  # decoded pixels that a worker returns at a time
_MIN_FILES = 64  # more files are decoded by worker processes


@dataclass(frozen=True)
class ImageReader:
    """How files become uint8 (C, H, W): see `zoo.data.images.decode`."""

    channels: int
    size: tuple[int, int]
    resize: str
    max_pixels: int
    levels: Levels | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return (self.channels, *self.size)

    @property
    def nbytes(self) -> int:
        """Bytes of one decoded image."""
        return self.channels * self.size[0] * self.size[1]

    def read(self, path: Path) -> Tensor:
        """One file; raises BrokenImage."""
        form = (self.channels, self.size, self.resize, self.max_pixels, self.levels)
        return decode(path, *form)

    def read_and_look(self, path: Path) -> tuple[Tensor, Facts]:
        """One file, and what is to be said of it; raises BrokenImage."""
        form = (self.channels, self.size, self.resize, self.max_pixels, self.levels)
        return decode_and_look(path, *form)

    def read_all(self, files: Sequence[Path], workers: int) -> tuple[Tensor, dict[int, Facts]]:
        """All files, and the facts of those of which there is something to say.

        The pixels of broken files are zero.

        Returns:
            Uint8 (N, C, H, W), and index to facts.
        """
        images = torch.zeros(len(files), *self.shape, dtype=torch.uint8)
        facts: dict[int, Facts] = {}
        for start, pixels, found in self._run(files, workers, "decoding images", pixels=True):
            images[start : start + len(pixels)] = pixels
            facts |= found
        return images, facts

    def check_all(self, files: Sequence[Path], workers: int) -> dict[int, Facts]:
        """Read only headers and ends: index to facts, as `read_all`."""
        facts: dict[int, Facts] = {}
        for _, _, found in self._run(files, workers, "checking images", pixels=False):
            facts |= found
        return facts

    def fit_levels(self, facts: Iterable[Facts]) -> "ImageReader":
        """This reader with the levels for the files with these facts, which have more than 8 bits;
        itself where there are none."""
        ranges = [found.values for found in facts if found.values is not None]
        return replace(self, levels=levels_of(ranges)) if ranges else self

    def _run(
        self, files: Sequence[Path], workers: int, text: str, pixels: bool
    ) -> Iterator[tuple[int, Tensor, dict[int, Facts]]]:
        """Yields (index of the chunk's first file, its pixels, index to facts), in order."""
        chunk_size = max(1, min(64, _CHUNK_BYTES // self.nbytes))
        chunks = _Chunks(files, self, chunk_size, pixels)
        workers = workers if len(files) > _MIN_FILES else 0
        with Progress(text, len(files), "files") as progress:
            for chunk in DataLoader(chunks, batch_size=None, num_workers=workers):
                yield chunk
                progress.update(min(chunk_size, len(files) - chunk[0]))


class _Chunks(torch.utils.data.Dataset):
    """Chunks of consecutive files, for a DataLoader."""

    def __init__(self, files: Sequence[Path], reader: ImageReader, size: int, pixels: bool) -> None:
        self.files, self.reader, self.size, self.pixels = files, reader, size, pixels

    def __len__(self) -> int:
        return -(-len(self.files) // self.size)

    def __getitem__(self, index: int) -> tuple[int, Tensor, dict[int, Facts]]:
        start = index * self.size
        files = self.files[start : start + self.size]
        count = len(files) if self.pixels else 0
        images = torch.zeros(count, *self.reader.shape, dtype=torch.uint8)
        found = {}
        for i, file in enumerate(files):
            try:
                if self.pixels:
                    images[i], facts = self.reader.read_and_look(file)
                else:
                    facts = check_file(file, self.reader.max_pixels)
            except BrokenImage as error:
                facts = Facts(reason=error.reason)
            if facts != Facts():
                found[start + i] = facts
        return start, images, found


class FileSource:
    """Images decoded when a batch needs them."""

    def __init__(self, files: Sequence[Path], labels: Tensor, reader: ImageReader) -> None:
        self.files, self.labels, self.reader = list(files), labels, reader

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Batch:
        return {"input": self.reader.read(self.files[index]), "target": self.labels[index]}
