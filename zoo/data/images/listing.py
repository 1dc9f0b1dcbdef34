"""Which image files there are, of which class, in which split; nothing is decoded here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from zoo.data.images.decode import EXTENSIONS, images_under, is_image
from zoo.data.paths import not_found
from zoo.data.tables.csv_file import read_csv
from zoo.errors import UserError, closest_match

PARTS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass
class Listing:
    """Image files with the name of their class and their split (None: to be dealt)."""

    files: list[Path]
    names: list[str]
    parts: list[str | None]
    notes: list[str] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        """Sorted."""
        return sorted(set(self.names))

    @property
    def labels(self) -> Tensor:
        """Class numbers, int64 (N,)."""
        number = {name: i for i, name in enumerate(self.classes)}
        return torch.tensor([number[name] for name in self.names], dtype=torch.int64)

    def part(self, name: str) -> Tensor | None:
        """Indices (int64) of the files that lie in a split's own folder; None where none do."""
        found = [i for i, part in enumerate(self.parts) if part == name]
        return torch.tensor(found) if found else None

    def keep(self, index: Sequence[int]) -> None:
        """Forget all files but these."""
        self.files = [self.files[i] for i in index]
        self.names = [self.names[i] for i in index]
        self.parts = [self.parts[i] for i in index]


def list_images(root: Path, labels: str | None) -> Listing:
    """All images of a dataset.

    Args:
        root: Folder with a subfolder per class, or with train/, val/, test/ that have them.
        labels: CSV file with columns `path` and `label`, instead of subfolders.

    Raises:
        UserError: No such folder, no images, no classes; a line of `labels` that names no file.
    """
    if not root.exists():
        raise not_found(root)
    if not root.is_dir():
        raise UserError(f"{root}: this is a file; expected the folder of images")
    if labels is not None:
        return _from_csv(root, labels)
    folders = _subfolders(root)
    found = {folder.name.lower() for folder in folders}
    if "train" in {PARTS.get(name) for name in found} and found <= set(PARTS):
        return _from_splits(folders)
    listing = Listing([], [], [])
    _add_classes(listing, folders, None)
    if not listing.files:
        raise UserError(_nothing(root))
    return listing


def _subfolders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _add_classes(listing: Listing, folders: Sequence[Path], part: str | None) -> None:
    for folder in folders:
        files = images_under(folder)
        if not files:
            listing.notes.append(f"{folder}: no images in it, left out")
        listing.files += files
        listing.names += [folder.name] * len(files)
        listing.parts += [part] * len(files)


def _from_splits(folders: Sequence[Path]) -> Listing:
    listing = Listing([], [], [])
    for folder in folders:
        before = len(listing.files)
        part = PARTS[folder.name.lower()]
        _add_classes(listing, _subfolders(folder), part)
        if len(listing.files) == before:
            raise UserError(_nothing(folder))
    trained = {n for n, p in zip(listing.names, listing.parts, strict=True) if p == "train"}
    if strange := sorted(set(listing.names) - trained):
        guess = closest_match(strange[0], trained)
        hint = f"; did you mean '{guess}'?" if guess else ""
        raise UserError(
            f"the class '{strange[0]}' has no images in {folders[0].parent}/train{hint} "
            f"(there are: {', '.join(sorted(trained))})"
        )
    given = set(listing.parts)
    rest = [name for name in ("val", "test") if name not in given]
    if rest:
        listing.notes.append(f"no {' or '.join(rest)} folder: taken from train by fraction")
    listing.parts = [None if part == "train" else part for part in listing.parts]
    return listing


def _from_csv(root: Path, labels: str) -> Listing:
    """Files and classes as the lines of a CSV file say."""
    place = root / labels if (root / labels).is_file() else Path(labels)
    table = read_csv(place)
    for name in ("path", "label"):
        if name not in table.header:
            raise UserError(
                f"{place}: no column '{name}' (there are: {', '.join(table.header)}); expected a "
                "header with path and label"
            )
    listing = Listing([], [], [])
    seen: dict[Path, int] = {}
    rows = zip(table.texts("path"), table.texts("label"), table.lines, strict=True)
    for path, label, line in rows:
        if path is None or label is None:
            raise UserError(f"{place}, line {line}: the {'label' if path else 'path'} is missing")
        file = next((f for f in (root / path, place.parent / path) if f.is_file()), None)
        if file is None:
            raise UserError(f"{place}, line {line}: {not_found(root / path)}")
        if file in seen:
            raise UserError(f"{place}, line {line}: {path} was already on line {seen[file]}")
        seen[file] = line
        listing.files.append(file)
        listing.names.append(label)
        listing.parts.append(None)
    return listing


def _nothing(folder: Path) -> str:
    """Why a folder gives no images."""
    loose = sum(is_image(p) for p in folder.iterdir())
    if loose:
        return (
            f"{folder}: {loose} images lie in it, but no class folders; put each class in a "
            "subfolder, or list paths and labels in a file: data.labels=labels.csv"
        )
    kinds = ", ".join(sorted(EXTENSIONS))
    return f"{folder}: no images; expected a subfolder per class with files named {kinds}"
