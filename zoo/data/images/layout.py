"""Which folders are classes and which are splits, decided by what lies in them.

A folder named `train` is a split where it holds folders of images, and a class where it holds the
images themselves: a collection of vehicles has a class of that name.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from zoo.data.images.files import LeftOut, images_under

SPLITS = {
    "train": "train", "training": "train", "trn": "train",
    "val": "val", "valid": "val", "validation": "val", "validate": "val", "dev": "val",
    "devel": "val", "development": "val", "eval": "val", "evaluation": "val",
    "test": "test", "testing": "test", "tst": "test",
}  # fmt: skip
FILLER = {"data", "dataset", "folder", "images", "image", "img", "imgs", "photos", "set", "split"}


@dataclass(frozen=True)
class Folder:
    """A folder in the root, and the images in it.

    Attributes:
        path: The folder.
        split: The split that its name stands for; None for none.
        classes: Its subfolders with images.
        loose: Images that lie in it directly.
        images: All of its images, at any depth.
    """

    path: Path
    split: str | None
    classes: dict[Path, list[Path]]
    loose: list[Path]
    images: list[Path]

    @property
    def is_split(self) -> bool:
        """Whether it is named as a split and holds classes."""
        return self.split is not None and bool(self.classes)


def split_of(name: str) -> str | None:
    """`train2017`, `Training_Set` and `train` are the training split, `cat` is None."""
    words = [word for word in re.split(r"[^a-z]+", name.lower()) if word and word not in FILLER]
    if len(words) != 1:
        return None
    return SPLITS.get(words[0]) or SPLITS.get(re.sub(r"(set|data|images)$", "", words[0]))


def class_name(folder: Path) -> str:
    """A folder's name as a class: composed (NFC), and bytes that are not UTF-8 written as `\\xe9`.

    A Mac stores "é" as two characters, other systems as one: they are the same class. Tabs and
    line ends are written as codes too.
    """
    name = folder.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    name = "".join(f"\\x{ord(c):02x}" if unicodedata.category(c) == "Cc" else c for c in name)
    return unicodedata.normalize("NFC", name)


def look_into(path: Path, left_out: LeftOut) -> Folder:
    """A folder with its images, by subfolder.

    Of `training_set/training_set/cat`, as some archives have it, the inner folder is looked into.
    """
    split = split_of(path.name)
    images = images_under(path, left_out)
    loose = [file for file in images if file.parent == path]
    classes: dict[Path, list[Path]] = {}
    for file in images:
        if len(parts := file.relative_to(path).parts) > 1:
            classes.setdefault(path / parts[0], []).append(file)
    if split and not loose and len(classes) == 1:
        inner = next(iter(classes))
        if split_of(inner.name) == split:
            return look_into(inner, LeftOut())
    return Folder(path, split, classes, loose, images)


def inner_splits(folders: list[Folder]) -> bool:
    """Whether each class is divided: `cat/train/1.jpg`, `cat/test/2.jpg`."""
    inner = [folder for f in folders for folder in f.classes]
    splits = {split_of(folder.name) for folder in inner}
    return (
        bool(inner)
        and not any(f.loose for f in folders)
        and all(f.classes for f in folders)
        and None not in splits
        and "train" in splits
        and len(splits) > 1
    )


def alike(names: list[str]) -> list[list[str]]:
    """Classes that differ in letters of either case, or in spaces alone."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault("".join(name.casefold().split()), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def counted(names: list[str], most: int = 10) -> str:
    """`cat (12), dog (9)`: classes and how many images each has."""
    counts = sorted(Counter(names).items())
    listed = ", ".join(f"{name} ({number:,})" for name, number in counts[:most])
    return listed + (f", ... ({len(counts)} in all)" if len(counts) > most else "")
