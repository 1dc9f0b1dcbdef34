"""Which folders are classes and which are splits, decided by what lies in them.

A folder named `train` is a split where it holds folders of images, and a class where it holds the
images themselves: a collection of vehicles has a class of that name.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zoo.data.images.files import LeftOut, images_under

SPLITS = {
    "train": "train", "training": "train", "trn": "train",
    "val": "val", "valid": "val", "validation": "val", "validate": "val", "dev": "val",
    "devel": "val", "development": "val", "eval": "val", "evaluation": "val",
    "test": "test", "testing": "test", "tst": "test",
    "训练": "train", "验证": "val", "校验": "val", "测试": "test",
}  # fmt: skip
_ENDING = re.compile("(set|data|images|集|数据集?|图[片像])$")
Affixes = frozenset[frozenset[str]]
NO_AFFIX: Affixes = frozenset({frozenset()})
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


def split_of(name: str, affixes: Affixes = NO_AFFIX) -> str | None:
    """`train2017`, `Training_Set`, `训练集` and `train` are the training split, `cat` is None.

    Args:
        name: Of a folder.
        affixes: Words that may stand beside the split's, as `shared_affixes` finds them.
    """
    split, others = _parts(name)
    return split if others in affixes else None


def shared_affixes(names: Iterable[str]) -> Affixes:
    """Those that several splits have: of `seg_train` and `seg_test` it is `seg`."""
    splits: dict[frozenset[str], set[str | None]] = {}
    for name in names:
        split, others = _parts(name)
        splits.setdefault(others, set()).add(split)
    return NO_AFFIX | {others for others, found in splits.items() if len(found - {None}) > 1}


def _parts(name: str) -> tuple[str | None, frozenset[str]]:
    """The split that one of a name's words stands for, and its other words."""
    words = [w for w in re.split(r"[^a-z\u4e00-\u9fff]+", name.lower()) if w and w not in FILLER]
    splits = {word: SPLITS.get(word) or SPLITS.get(_ENDING.sub("", word)) for word in words}
    found = [word for word in words if splits[word]]
    if len(found) != 1:
        return None, frozenset()
    return splits[found[0]], frozenset(words) - {found[0]}


def class_name(folder: Path) -> str:
    """A folder's name as a class: composed (NFC), and bytes that are not UTF-8 written as `\\xe9`.

    A Mac stores "é" as two characters, other systems as one: they are the same class. Tabs and
    line ends are written as codes too.
    """
    name = folder.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    name = "".join(f"\\x{ord(c):02x}" if unicodedata.category(c) == "Cc" else c for c in name)
    return unicodedata.normalize("NFC", name)


def look_into(path: Path, left_out: LeftOut, affixes: Affixes = NO_AFFIX) -> Folder:
    """A folder with its images, by subfolder.

    Of `training_set/training_set/cat`, as some archives have it, the inner folder is looked into.
    """
    split = split_of(path.name, affixes)
    images = images_under(path, left_out)
    loose = [file for file in images if file.parent == path]
    classes: dict[Path, list[Path]] = {}
    for file in images:
        if len(parts := file.relative_to(path).parts) > 1:
            classes.setdefault(path / parts[0], []).append(file)
    if split and not loose and len(classes) == 1:
        inner = next(iter(classes))
        if split_of(inner.name, affixes) == split:
            return look_into(inner, LeftOut(), affixes)
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


def counted(names: list[str], most: int = 10) -> str:
    """`cat (12), dog (9)`: classes and how many images each has."""
    counts = sorted(Counter(names).items())
    listed = ", ".join(f"{name} ({number:,})" for name, number in counts[:most])
    return listed + (f", ... ({len(counts)} in all)" if len(counts) > most else "")
