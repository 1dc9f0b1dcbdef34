"""Many image files decoded by worker processes, into one tensor or on demand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.batch import Batch
from zoo.data.images.decode import BrokenImage, check_header, decode
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
        return decode(path, self.channels, self.size, self.resize, self.max_pixels)

    def read_all(self, files: Sequence[Path], workers: int) -> tuple[Tensor, dict[int, str]]:
        """All files, and the reasons for those that are broken (their pixels are zero).

        Returns:
            Uint8 (N, C, H, W), and index to reason.
        """
        images = torch.zeros(len(files), *self.shape, dtype=torch.uint8)
        broken: dict[int, str] = {}
        for start, pixels, reasons in self._run(files, workers, "decoding images", pixels=True):
            images[start : start + len(pixels)] = pixels
            broken |= reasons
        return images, broken

    def read_all_or_stop(self, files: Sequence[Path], workers: int) -> Tensor:
        """All files, uint8 (N, C, H, W); raises BrokenImage for the first that is broken."""
        images, broken = self.read_all(files, workers)
        for index, reason in broken.items():
            raise BrokenImage(files[index], reason)
        return images

    def check_all(self, files: Sequence[Path], workers: int) -> dict[int, str]:
        """Read only the headers: index to reason for those that are broken."""
        broken: dict[int, str] = {}
        for _, _, reasons in self._run(files, workers, "checking images", pixels=False):
            broken |= reasons
        return broken

    def _run(
        self, files: Sequence[Path], workers: int, text: str, pixels: bool
    ) -> Iterator[tuple[int, Tensor, dict[int, str]]]:
        """Yields (index of the chunk's first file, its pixels, index to reason), in order."""
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

    def __getitem__(self, index: int) -> tuple[int, Tensor, dict[int, str]]:
        start = index * self.size
        files = self.files[start : start + self.size]
        count = len(files) if self.pixels else 0
        images = torch.zeros(count, *self.reader.shape, dtype=torch.uint8)
        broken = {}
        for i, file in enumerate(files):
            try:
                if self.pixels:
                    images[i] = self.reader.read(file)
                else:
                    check_header(file, self.reader.max_pixels)
            except BrokenImage as error:
                broken[start + i] = error.reason
        return start, images, broken


class FileSource:
    """Images decoded when a batch needs them."""

    def __init__(self, files: Sequence[Path], labels: Tensor, reader: ImageReader) -> None:
        self.files, self.labels, self.reader = list(files), labels, reader

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Batch:
        return {"input": self.reader.read(self.files[index]), "target": self.labels[index]}
