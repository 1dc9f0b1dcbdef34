"""An index of image files: their classes and splits; nothing is decoded here."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from zoo.data.images.files import EXTENSIONS, LeftOut, is_image, subfolders
from zoo.data.images.layout import (
    Folder,
    class_name,
    inner_splits,
    look_into,
    shared_affixes,
    split_of,
)
from zoo.data.labels import label_matrix, split_labels
from zoo.data.splits import Indices, renumbered
from zoo.errors import UserError, closest_match
from zoo.phrases import plural

PICTURES = {"image", "images", "img", "imgs", "jpegimages", "photos", "pictures"}
OUTLINES = {"annotations", "gt", "labels", "mask", "masks", "segmentation", "segmentations"}


@dataclass
class ImageIndex:
    """Image files with the name of their class and their split (None: to be drawn).

    With a `separator`, a name holds any number of labels.
    """

    files: list[Path] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    splits: list[str | None] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    separator: str | None = None
    further: set[str] = field(default_factory=set)  # names of files that a debug run leaves out

    @property
    def classes(self) -> list[str]:
        """Sorted; of several labels, each."""
        names = {*self.names, *self.further}
        return sorted({label for name in names for label in self._labels_of(name)})

    def _labels_of(self, name: str) -> list[str]:
        return [name] if self.separator is None else split_labels(name, self.separator)

    @property
    def all_labels(self) -> list[str]:
        """The class of each file, or all its labels."""
        return [label for name in self.names for label in self._labels_of(name)]

    def label_matrix(self, labels: Sequence[str]) -> Tensor:
        """Which of several labels each file has, 0 and 1, float32 (N, K).

        Raises:
            UserError: A file has a label that is not among them.
        """
        return label_matrix(self.names, self.separator or "", labels)

    @property
    def labels(self) -> Tensor:
        """Class numbers, int64 (N,); of several labels, a number for each combination."""
        number = {name: i for i, name in enumerate(sorted({*self.names, *self.further}))}
        return torch.tensor([number[name] for name in self.names], dtype=torch.int64)

    def split(self, name: str) -> Tensor | None:
        """Numbers (int64) of the files in a split's own folder; None where there are none."""
        numbers = [i for i, split in enumerate(self.splits) if split == name]
        return torch.tensor(numbers) if numbers else None

    def add(self, files: Sequence[Path], name: str, split: str | None) -> None:
        """Add files of one class."""
        self.files += files
        self.names += [name] * len(files)
        self.splits += [split] * len(files)

    def keep(self, numbers: Sequence[int]) -> None:
        """Drop all files but these."""
        self.files = [self.files[i] for i in numbers]
        self.names = [self.names[i] for i in numbers]
        self.splits = [self.splits[i] for i in numbers]

    def keep_some(self, splits: Indices) -> None:
        """Drop all files but those of the splits, which stay what they are; no class is dropped."""
        self.further = set(self.names)
        kept, places = renumbered(splits)
        self.keep(kept)
        parts = {i: name for name in ("val", "test") for i in places[name].tolist()}
        self.splits = [parts.get(i) for i in range(len(kept))]

    def settle_splits(self, where: str, is_new: bool) -> None:
        """Say which splits are drawn; those of train are, where others are missing.

        Raises:
            UserError: No training samples, or a class without any.
        """
        present = set(self.splits)
        if is_new:
            self._check_trained(where)
            if missing := [name for name in ("val", "test") if name not in present]:
                kinds = " or ".join(missing)
                self.notes.append(f"no {kinds} images: taken from train by fraction")
            for split in ("val", "test"):
                self._note_absent(split)
        self.splits = [None if split == "train" else split for split in self.splits]

    def _classes_of(self, split: str) -> set[str]:
        names = {n for n, p in zip(self.names, self.splits, strict=True) if p == split}
        return {label for name in names for label in self._labels_of(name)}

    def _note_absent(self, split: str) -> None:
        present = self._classes_of(split)
        if present and (absent := sorted(set(self.classes) - present)):
            more = f" and {len(absent) - 3:,} more" if len(absent) > 3 else ""
            self.notes.append(f"{split} has no images of {', '.join(absent[:3])}{more}")

    def _check_trained(self, where: str) -> None:
        trained = self._classes_of("train")
        if untrained := sorted(set(self.classes) - trained):
            guess = closest_match(untrained[0], trained)
            hint = f"; did you mean '{guess}'?" if guess else ""
            raise UserError(
                f"the class '{untrained[0]}' has no images in {where}{hint} "
                f"(there are: {', '.join(sorted(trained)) or 'none'})"
            )


def index_folders(root: Path, is_new: bool) -> ImageIndex:
    """All images of a folder with a subfolder per class, or with splits that have them; without
    subfolders, all are of one class.

    Args:
        root: The folder.
        is_new: Whether a run is to be trained: it needs a training split.

    Raises:
        UserError: No images, or folders that can be read in more than one way.
    """
    left_out = LeftOut()
    paths = subfolders(root)
    affixes = shared_affixes(path.name for path in paths)
    folders = [look_into(path, left_out, affixes) for path in paths]
    index = ImageIndex(
        notes=[f"{f.path}: left out, it has no images" for f in folders if not f.images]
    )
    folders = _with_evaluation([folder for folder in folders if folder.images])
    if any(folder.is_split for folder in folders):
        _add_splits(index, root, folders, is_new)
    elif inner_splits(folders):
        _add_divided_classes(index, root, folders, is_new)
    else:
        _add_classes(index, root, folders)
    loose = sorted(path for path in root.iterdir() if path.is_file() and is_image(path))
    if index.files and loose:
        index.notes.append(f"{plural(len(loose), 'image')} beside the folders of {root} left out")
    elif loose:
        index.add(loose, name := class_name(root.resolve()), None)
        index.notes.append(f"{root} has no class folders: all images are of one class, '{name}'")
    elif not index.files:
        raise UserError(_no_images_message(root, left_out))
    index.notes += left_out.notes(root)
    return index


def _with_evaluation(folders: list[Folder]) -> list[Folder]:
    """`evaluation` as the test split where there is `validation` and no `test`."""
    splits = [folder for folder in folders if folder.is_split]
    held_out = [f for f in splits if f.split == "val" and "eval" in f.path.name.lower()]
    others = {folder.split for folder in splits if folder not in held_out}
    if "test" in others or "val" not in others:
        return folders
    return [replace(f, split="test") if f in held_out else f for f in folders]


def _add_splits(index: ImageIndex, root: Path, folders: list[Folder], is_new: bool) -> None:
    """Images of split folders; what stands beside them is left out with a note, or refused."""
    splits = [folder for folder in folders if folder.is_split]
    others = [folder for folder in folders if not folder.is_split]
    beside = _training_classes(splits, others)
    if beside:
        others = [folder for folder in others if folder not in beside]
        index.notes.append(f"{', '.join(f.path.name for f in beside)}: read as training classes")
    for folder in beside:
        index.add(folder.images, class_name(folder.path), "train")
    if not beside and (is_new or others):
        _check_readable(root, splits, others)
    for folder in splits:
        for path, files in folder.classes.items():
            index.add(files, class_name(path), folder.split)
    _note_left_out(index, splits, others)
    train = next((f.path for f in splits if f.split == "train"), root)
    index.settle_splits(str(train), is_new)


def _training_classes(splits: list[Folder], others: list[Folder]) -> list[Folder]:
    """The classes of `cat/`, `dog/`, `test/cat/`, `test/dog/`: none where there is `train/`."""
    beside = [folder for folder in others if folder.split is None]
    tested = {class_name(path) for folder in splits for path in folder.classes}
    is_training = {class_name(folder.path) for folder in beside} >= tested
    return [] if "train" in {folder.split for folder in splits} or not is_training else beside


def _check_readable(root: Path, splits: list[Folder], others: list[Folder]) -> None:
    """Refuse folders that can be read as splits and as classes.

    Raises:
        UserError: No training split, or it alone beside folders that may be classes too.
    """
    unclear = [folder for folder in others if folder.split is None]
    named = ", ".join(folder.path.name for folder in splits)
    if "train" not in {folder.split for folder in splits}:
        empty = next((f for f in others if f.split == "train"), None)
        if empty:
            raise UserError(
                f"{empty.path}: {plural(len(empty.images), 'image')}, but no class folders; put "
                "each class in a subfolder, or list paths and labels: data.labels=labels.csv"
            )
        raise UserError(
            f"{root}: {named} is divided into classes as a split, but there is no train folder; "
            "put the training images into train/<class>/, or rename it if it is a class"
        )
    if unclear and len({folder.split for folder in splits}) == 1:
        listed = ", ".join(folder.path.name for folder in unclear[:3])
        raise UserError(
            f"{root}: {named} holds classes as a split does, and beside it are {listed} with "
            f"{plural(sum(len(f.images) for f in unclear), 'image')}, but no val or test folder; "
            f"move them away if {named} is the training split, or its images out of their "
            "subfolders if it is a class"
        )


def _note_left_out(index: ImageIndex, splits: list[Folder], others: list[Folder]) -> None:
    """Note images that are in no class, and folders that are no split."""
    for folder in splits:
        if folder.loose:
            count = f"{plural(len(folder.loose), 'image')} directly in {folder.path}"
            index.notes.append(f"{count} left out: they are in no class")
    for folder in others:
        what = "without class folders" if folder.split else "it is no split by its name"
        index.notes.append(f"{folder.path}: {plural(len(folder.images), 'image')} left out, {what}")
    for split in ("train", "val", "test"):
        names = [folder.path.name for folder in splits if folder.split == split]
        if len(names) > 1:
            index.notes.append(f"{' and '.join(names)} are both read as {split}")


def _add_divided_classes(
    index: ImageIndex, root: Path, folders: list[Folder], is_new: bool
) -> None:
    """Images of classes that are divided into splits themselves."""
    for folder in folders:
        for path, files in folder.classes.items():
            index.add(files, class_name(folder.path), split_of(path.name))
    index.notes.append("train, val and test are the subfolders of each class")
    index.settle_splits(f"the train folders of {root}", is_new)


def _add_classes(index: ImageIndex, root: Path, folders: list[Folder]) -> None:
    """Images of a folder per class.

    Raises:
        UserError: The folders are splits by their names, and hold no classes.
    """
    named = [folder for folder in folders if folder.split]
    if len(named) > 1:
        listed = " and ".join(folder.path.name for folder in named)
        raise UserError(
            f"{root}: {listed} are splits by their names, but have no class folders; put each "
            f"class in a subfolder ({named[0].path.name}/<class>/1.jpg), or list paths and labels "
            "in a file: data.labels=labels.csv"
        )
    kinds = {folder.path.name.lower() for folder in folders}
    if kinds & PICTURES and kinds & OUTLINES and kinds <= PICTURES | OUTLINES:
        listed = " and ".join(folder.path.name for folder in folders)
        raise UserError(
            f"{root}: {listed} are pictures and what is drawn over them, not classes; expected a "
            "subfolder per class"
        )
    for folder in folders:
        index.add(folder.images, class_name(folder.path), None)
    index.notes += [
        f"'{folder.path.name}' is read as a class: it has no class folders" for folder in named
    ]
    inner = [folder for folder in folders if folder.classes]
    if inner:
        path = next(iter(inner[0].classes)).relative_to(root)
        index.notes.append(
            f"images in subfolders ({path}{', ...' * (len(inner) > 1)}) belong to the class above"
        )


def _no_images_message(root: Path, left_out: LeftOut) -> str:
    """The error for a folder without images."""
    found = f" ({notes})" if (notes := "; ".join(left_out.notes(root))) else ""
    kinds = ", ".join(sorted(EXTENSIONS))
    return f"{root}: no images{found}; expected a subfolder per class with files named {kinds}"
