"""Image files under a folder, and what lies there besides: hidden, linked, of other formats."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zoo.data.paths import not_found
from zoo.errors import UserError
from zoo.phrases import first_few, plural

EXTENSIONS = {
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg",
    ".pbm", ".pgm", ".pjp", ".pjpeg", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp",
}  # fmt: skip
OTHER = {  # never looked into: texts, tables, archives, and raw files that pass for TIFF
    ".arw", ".cr2", ".csv", ".dng", ".doc", ".docx", ".gz", ".h5", ".html", ".ini", ".ipynb",
    ".json", ".jsonl", ".mat", ".md", ".mov", ".mp4", ".nef", ".npy", ".npz", ".orf", ".pdf",
    ".pkl", ".py", ".rar", ".rtf", ".svg", ".tar", ".tsv", ".txt", ".xls", ".xlsx", ".xml",
    ".yaml", ".yml", ".zip",
}  # fmt: skip
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
SYSTEM_FOLDERS = {"__macosx", "@eadir", "__pycache__", "$recycle.bin", "system volume information"}
SYSTEM_FILES = {"thumbs.db", "desktop.ini"}


@dataclass
class LeftOut:
    """What lies under a folder and is no sample: counted, to be said."""

    hidden: Counter[Path] = field(default_factory=Counter)  # images by their hidden folder
    others: Counter[str] = field(default_factory=Counter)  # files by their extension
    broken_links: int = 0
    loops: list[Path] = field(default_factory=list)  # links to a folder that was read already

    def notes(self, root: Path) -> list[str]:
        """One line for each kind."""
        found = []
        if self.hidden:
            where = first_few(os.path.relpath(folder, root) for folder in self.hidden)
            found.append(f"{plural(self.hidden.total(), 'image')} left out: hidden ({where})")
        if self.others:
            kinds = first_few((f"{n:,} {kind}" for kind, n in self.others.most_common()), 4)
            if ".heic" in self.others:
                kinds += "; convert .heic to .jpg"
            found.append(f"{plural(self.others.total(), 'file')} left out, no images: {kinds}")
        if self.broken_links:
            found.append(f"{plural(self.broken_links, 'link')} to missing files left out")
        if self.loops:
            links = first_few(os.path.relpath(link, root) for link in self.loops)
            found.append(f"links to folders that are read already, not followed: {links}")
        return found


def is_image(path: Path) -> bool:
    """Whether a file counts as an image, and not hidden (`._x.jpg`).

    By its extension; one that is unknown or missing (`a1b2c3`, `1.jpg_large`) by its first bytes.
    """
    extension = path.suffix.lower()
    if path.name.startswith("."):
        return False
    return extension in EXTENSIONS or (extension not in OTHER and _is_signed(path))


def _is_signed(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError:
        return False
    is_webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    return start.startswith(SIGNATURES) or is_webp or start[4:12] == b"ftypavif"


def is_hidden(name: str) -> bool:
    """Whether a folder is hidden, or made by an operating system and not by the user."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


def subfolders(root: Path) -> list[Path]:
    """The folders in a folder, links to folders among them, without hidden ones; sorted.

    Raises:
        UserError: The folder cannot be read.
    """
    above = _real_parents(root)
    try:
        folders = [p for p in root.iterdir() if not is_hidden(p.name) and p.is_dir()]
    except OSError as error:
        raise _unreadable(error) from None
    return sorted(p for p in folders if os.path.realpath(p) not in above)


def find_images(path: Path, left_out: LeftOut) -> list[Path]:
    """`path` itself, or all images under it, sorted.

    Args:
        path: A file or a folder.
        left_out: Counts what is no image in a folder.

    Raises:
        UserError: No such path (with the nearest name there is), or no image.
    """
    if not path.exists():
        raise not_found(path)
    if path.is_file():
        return [path]
    files = images_under(path, left_out)
    if not files:
        found = "; ".join(left_out.notes(path)) or f"looked for {', '.join(sorted(EXTENSIONS))}"
        raise UserError(f"{path}: no images in this folder ({found})")
    return files


def images_under(folder: Path, left_out: LeftOut | None = None) -> list[Path]:
    """All images under a folder, at any depth, sorted; links are followed, each folder once.

    Args:
        folder: Where to look.
        left_out: Counts what is no sample.
    """
    left_out = LeftOut() if left_out is None else left_out
    images = []
    for path in _files(folder, left_out):
        if path.is_file() and is_image(path):  # in this order: a pipe is never opened
            images.append(path)
        elif path.is_symlink() and not path.exists():
            left_out.broken_links += 1
        elif not path.name.startswith(".") and path.name.lower() not in SYSTEM_FILES:
            left_out.others[path.suffix.lower() or "without extension"] += 1
    return sorted(images)


def _files(folder: Path, left_out: LeftOut) -> Iterator[Path]:
    """All files under a folder; those in hidden folders are counted alone."""
    seen = _real_parents(folder)
    for here, folders, names in os.walk(folder, onerror=_stop, followlinks=True):
        paths = [Path(here, name) for name in folders]
        for path in sorted(paths, key=Path.is_symlink):
            real = os.path.realpath(path)
            if is_hidden(path.name):
                if count := _images_in(path):
                    left_out.hidden[path] += count
            elif real in seen:
                left_out.loops.append(path)
            else:
                seen.add(real)
                continue
            folders.remove(path.name)
        yield from (Path(here, name) for name in names)


def _real_parents(folder: Path) -> set[str]:
    """A folder and all above it, with links resolved: a link to one of them would never end."""
    above = {os.path.realpath(parent) for parent in (folder, *folder.absolute().parents)}
    return above | {str(parent) for parent in Path(os.path.realpath(folder)).parents}


def _stop(error: OSError) -> None:
    raise _unreadable(error)


def _unreadable(error: OSError) -> UserError:
    return UserError(f"{error.filename} cannot be read: {error.strerror or error}")


def _images_in(folder: Path) -> int:
    """How many images a hidden folder has, by extension."""
    files = (Path(name) for _, _, names in os.walk(folder) for name in names)
    return sum(f.suffix.lower() in EXTENSIONS and not f.name.startswith("._") for f in files)


def files_sha256(files: Iterable[Path], classes: Iterable[str]) -> str:
    """Of names, sizes in bytes and classes: there is too much content to read at every start."""
    digest = hashlib.sha256()
    for file, name in zip(files, classes, strict=True):
        digest.update(f"{file}\0{file.stat().st_size}\0{name}\n".encode())
    return digest.hexdigest()
