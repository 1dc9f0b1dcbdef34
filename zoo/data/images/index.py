"""An index of image files: their classes and splits; nothing is decoded here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from zoo.data.images.decode import EXTENSIONS, images_under, is_image
from zoo.data.paths import not_found
from zoo.data.tables.csv_file import read_csv
from zoo.errors import UserError, closest_match
from zoo.files import user_path

SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass
class ImageIndex:
    """Image files with the name of their class and their split (None: to be drawn)."""

    files: list[Path]
    names: list[str]
    splits: list[str | None]
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

    def split(self, name: str) -> Tensor | None:
        """Numbers (int64) of the files in a split's own folder; None where there are none."""
        numbers = [i for i, split in enumerate(self.splits) if split == name]
        return torch.tensor(numbers) if numbers else None

    def keep(self, numbers: Sequence[int]) -> None:
        """Drop all files but these."""
        self.files = [self.files[i] for i in numbers]
        self.names = [self.names[i] for i in numbers]
        self.splits = [self.splits[i] for i in numbers]


def index_images(root: Path, labels: str | None) -> ImageIndex:
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
    names = {folder.name.lower() for folder in folders}
    if "train" in {SPLITS.get(name) for name in names} and names <= set(SPLITS):
        return _from_splits(folders)
    index = ImageIndex([], [], [])
    _add_classes(index, folders, None)
    if not index.files:
        raise UserError(_no_images_message(root))
    return index


def _subfolders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _add_classes(index: ImageIndex, folders: Sequence[Path], split: str | None) -> None:
    for folder in folders:
        files = images_under(folder)
        if not files:
            index.notes.append(f"{folder}: left out, it has no images")
        index.files += files
        index.names += [folder.name] * len(files)
        index.splits += [split] * len(files)


def _from_splits(folders: Sequence[Path]) -> ImageIndex:
    index = ImageIndex([], [], [])
    for folder in folders:
        before = len(index.files)
        _add_classes(index, _subfolders(folder), SPLITS[folder.name.lower()])
        if len(index.files) == before:
            raise UserError(_no_images_message(folder))
    trained = {n for n, p in zip(index.names, index.splits, strict=True) if p == "train"}
    if untrained := sorted(set(index.names) - trained):
        guess = closest_match(untrained[0], trained)
        hint = f"; did you mean '{guess}'?" if guess else ""
        raise UserError(
            f"the class '{untrained[0]}' has no images in {folders[0].parent}/train{hint} "
            f"(there are: {', '.join(sorted(trained))})"
        )
    missing = [name for name in ("val", "test") if name not in index.splits]
    if missing:
        index.notes.append(f"no {' or '.join(missing)} folder: taken from train by fraction")
    index.splits = [None if split == "train" else split for split in index.splits]
    return index


def _from_csv(root: Path, labels: str) -> ImageIndex:
    """Files and classes that a CSV file lists."""
    csv_path = root / labels if (root / labels).is_file() else user_path(labels)
    table = read_csv(csv_path)
    for name in ("path", "label"):
        if name not in table.header:
            raise UserError(
                f"{csv_path}: no column '{name}' (there are: {', '.join(table.header)}); "
                "expected a header with path and label"
            )
    index = ImageIndex([], [], [])
    line_of: dict[Path, int] = {}
    rows = zip(table.texts("path"), table.texts("label"), table.lines, strict=True)
    for path, label, line in rows:
        if path is None or label is None:
            raise UserError(
                f"{csv_path}, line {line}: the {'label' if path else 'path'} is missing"
            )
        file = next((f for f in (root / path, csv_path.parent / path) if f.is_file()), None)
        if file is None:
            raise UserError(f"{csv_path}, line {line}: {not_found(root / path)}")
        if file in line_of:
            raise UserError(f"{csv_path}, line {line}: {path} was already on line {line_of[file]}")
        line_of[file] = line
        index.files.append(file)
        index.names.append(label)
        index.splits.append(None)
    return index


def _no_images_message(folder: Path) -> str:
    """The error for a folder without class folders."""
    count = sum(is_image(p) for p in folder.iterdir())
    if count:
        return (
            f"{folder}: {count} images, but no class folders; put each class in a "
            "subfolder, or list paths and labels in a file: data.labels=labels.csv"
        )
    kinds = ", ".join(sorted(EXTENSIONS))
    return f"{folder}: no images; expected a subfolder per class with files named {kinds}"
