"""The user's own images: a folder per class, or a CSV file of paths and labels.

photos/cat/1.jpg  photos/dog/2.jpg              split by fractions
photos/train/cat/1.jpg  photos/test/dog/2.jpg   split as the folders say (val too)
photos/1.jpg  photos/labels.csv                 data.labels=labels.csv (path,label)
photos/1.jpg  photos/2.jpg                      one class, for models that draw
"""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset, fingerprint
from zoo.data.encoding import match_classes
from zoo.data.images.checks import (
    note_facts,
    note_one_coloured,
    note_repeated,
    note_sizes,
    one_coloured,
)
from zoo.data.images.dataset import image_facts
from zoo.data.images.decode import MAX_PIXELS, BrokenImage, parse_size
from zoo.data.images.encoding import IMAGENET, ImageEncoding
from zoo.data.images.files import files_sha256, subfolders
from zoo.data.images.index import ImageIndex, index_folders
from zoo.data.images.layout import counted
from zoo.data.images.listed import index_listed
from zoo.data.images.moved import moved_splits
from zoo.data.images.pixel_cache import PixelCache
from zoo.data.images.reader import FileSource, ImageReader
from zoo.data.labels import check_separator, note_labels, rarest
from zoo.data.names import note_alike
from zoo.data.paths import not_found
from zoo.data.repeated import repeated
from zoo.data.splits import Indices, split_columns
from zoo.errors import UserError
from zoo.files import user_path
from zoo.phrases import plural
from zoo.registry import DATASETS

FITTED_ON = 4096  # training images that give mean and deviation where not all are decoded
FITTED_BYTES = 1 << 31  # that they take at most


@DATASETS.register("image_folder", uses=("augment", "root", "labels"), needs="files")
def image_folder(
    context: DataContext,
    path: str | None = None,
    labels: str | None = None,
    kind: Literal["auto", "classification", "multi_label"] = "auto",
    separator: str | None = None,
    size: int | list[int] = 64,
    channels: Literal[1, 3] = 3,
    resize: Literal["crop", "squash"] = "crop",
    normalize: Literal["fitted", "imagenet"] = "fitted",
    on_broken: Literal["stop", "skip"] = "stop",
    max_pixels: int = MAX_PIXELS,
    cache_gb: float = 2.0,
) -> Dataset:
    """Images from files, resized and decoded with Pillow.

    Args:
        context: The shared settings; subfolders train, val and test are kept as they are.
        path: The folder.
        labels: A CSV file with columns `path` (from the folder, or from the file) and `label`.
        kind: Whether an image has one class or any number of labels, which a CSV file lists; "auto"
            takes one class.
        separator: Between the labels of a cell, such as `sea;sky`; null detects `;` `|` `,`.
        size: Height and width of the images given to the model; one number for a square. A run's
            own size and channels have priority.
        channels: 3 for RGB, 1 for grey.
        resize: "crop" crops the centre, "squash" changes the aspect ratio.
        normalize: By mean and standard deviation of the training images, or by those of ImageNet,
            which weights published for it expect.
        on_broken: "stop" at files that cannot be decoded, or "skip" them with a note.
        max_pixels: Larger images count as broken; they are not decoded.
        cache_gb: Decode all images once if they fit into this many gigabytes, and keep them in
            `root` for further runs; otherwise decode each when a batch needs it.
    """
    encoding = context.fitted(ImageEncoding)
    if path is None:
        raise UserError(
            "data.path is missing: the folder of images, a subfolder per class; e.g. "
            "data.path=photos"
        )
    if encoding is not None:
        form = (encoding.channels, encoding.size, encoding.resize)
        reader = ImageReader(*form, max_pixels, encoding.levels)
    else:
        reader = ImageReader(channels, parse_size(size), resize, max_pixels)
    if normalize == "imagenet" and reader.channels != 3:
        raise UserError("data.normalize=imagenet: expected data.channels=3, got 1")
    several = encoding.separator is not None if encoding else kind == "multi_label"
    check_separator(separator, is_used=several or encoding is not None)
    separator = encoding.separator if encoding else separator
    if several and labels is None:
        raise UserError("several labels per image need a list of them: data.labels=labels.csv")
    index = _index(user_path(path), labels, context.is_new, several, separator)
    if context.max_samples is not None:
        index.keep_some(context.few(_split(index, context)))
        context = context.settled
    in_memory = len(index.files) * reader.nbytes <= cache_gb * 1e9
    images, reader = _read(index, reader, context, in_memory, on_broken)
    _check_classes(index, user_path(path), context.is_new)
    return _dataset(index, images, reader, context, normalize == "imagenet")


def _index(
    root: Path, labels: str | None, is_new: bool, several: bool, separator: str | None
) -> ImageIndex:
    """The images of the folder.

    Raises:
        UserError: No such folder, or one class whose own subfolders may be the classes.
    """
    if not root.exists():
        raise not_found(root)
    if not root.is_dir():
        is_packed = root.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".rar", ".7z")
        fix = "; unpack it first" if is_packed else ""
        raise UserError(f"{root}: this is a file; expected the folder of images{fix}")
    if labels is not None:
        index = index_listed(root, labels, is_new, several, separator)
    else:
        index = index_folders(root, is_new)
    _check_classes(index, root, is_new)
    return index


def _check_classes(index: ImageIndex, root: Path, is_new: bool) -> None:
    """Refuse one class that holds folders itself: `photos/photos/cat`.

    Raises:
        UserError: With the folder that may have been meant.
    """
    if len(index.classes) > 1 or not is_new:
        return
    only = index.classes[0]
    inner = [p.name for p in subfolders(root / only)] if (root / only).is_dir() else []
    if inner:
        raise UserError(
            f"{root}: all images are of one class, '{only}'; did you mean data.path={root / only} "
            f"({', '.join(inner[:3])})?"
        )


def _read(
    index: ImageIndex, reader: ImageReader, context: DataContext, in_memory: bool, on_broken: str
) -> tuple[Tensor | None, ImageReader]:
    """All images, or None after a check of their headers; broken ones leave the index.

    A new run's reader gets the levels of images of more than 8 bits.
    """
    images, files, workers = None, index.files, context.workers
    if in_memory:
        cache = PixelCache(context.root)
        images, facts = cache.read_all(reader, files, workers)
        index.notes += cache.notes
    else:
        facts = reader.check_all(files, workers)
    deep = [i for i, found in facts.items() if found.is_deep]
    if deep and context.encoding is None:
        if images is None:  # a part of them shows the range
            some = deep[:: -(-len(deep) // FITTED_ON)]
            seen = reader.read_all([files[i] for i in some], workers)[1]
            facts |= {some[k]: replace(f, reason=None) for k, f in seen.items() if f.values}
        reader = reader.fit_levels(facts.values())
        if images is not None:
            images[deep] = reader.read_all([files[i] for i in deep], workers)[0]
    index.notes += note_facts(files, facts, reader.levels)
    broken = {i: found.reason for i, found in facts.items() if found.reason}
    if broken:
        usable = drop_broken(index, broken, on_broken)
        images = images[usable] if images is not None else None
    return images, reader


def _split(index: ImageIndex, context: DataContext) -> Indices:
    """The files of each split."""
    fixed = index.split("test"), index.split("val")
    if index.separator is None:
        return context.indices(index.labels, *fixed, index.classes)
    encoding = context.fitted(ImageEncoding)
    known = encoding.class_names if encoding else index.classes
    return context.indices(rarest(index.label_matrix(known)), *fixed)


def _dataset(
    index: ImageIndex,
    images: Tensor | None,
    reader: ImageReader,
    context: DataContext,
    imagenet: bool,
) -> Dataset:
    """The dataset of images in memory, or of files where `images` is None."""
    labels, encoding = index.labels, context.fitted(ImageEncoding)
    groups, splits = labels, _split(index, context)
    if index.separator is not None:
        labels = index.label_matrix(encoding.class_names if encoding else index.classes)
    sha256 = (
        files_sha256(index.files, index.names) if images is None else fingerprint([images, labels])
    )
    if encoding is None:
        encoding = _fit(index, images, reader, splits["train"], context.workers, imagenet)
    elif index.separator is None:
        labels = torch.tensor(match_classes(index.classes, encoding.class_names))[labels]
    number = len(encoding.class_names) if index.separator is None else None
    targets = context.train_targets(labels, splits["train"], number)
    sources = _sources(index, images, labels, targets, reader, splits, not context.is_new)
    names = [f"{'classes' if index.separator is None else 'labels'}: {counted(index.all_labels)}"]
    if index.separator is not None and context.is_new:
        names += note_labels(encoding.class_names, labels, splits["train"])
    names.append(note_sizes(index.files, reader.size, reader.channels, reader.resize))
    names += note_alike(index.classes, "images", "classes")
    known = splits if context.is_new else {}  # others' splits say nothing of what it has seen
    odd = note_repeated(index.files, groups, known, repeated(index.files))
    if images is not None:
        odd += note_one_coloured(index.files, one_coloured(images), len(images))
    return Dataset(
        facts=image_facts(encoding, targets),
        splits=moved_splits(sources, context.test_shift, encoding.size),
        encoding=encoding,
        sha256=sha256,
        augment=context.augment.bind(encoding.black, encoding.size) if context.augment else None,
        notes=[*names, *index.notes, *odd],
    )


def _fit(
    index: ImageIndex,
    images: Tensor | None,
    reader: ImageReader,
    train: Tensor,
    workers: int,
    imagenet: bool,
) -> ImageEncoding:
    if imagenet:
        return ImageEncoding(
            reader.size, 3, *IMAGENET, tuple(index.classes),
            reader.resize, reader.levels, index.separator,
        )  # fmt: skip
    if images is None:
        step = -(-len(train) // max(1, min(FITTED_ON, FITTED_BYTES // reader.nbytes)))
        files = [index.files[i] for i in train[::step].tolist()]
        images, facts = reader.read_all(files, workers)
        for i, found in facts.items():
            if found.reason:
                raise BrokenImage(files[i], found.reason)
        index.notes += note_one_coloured(files, one_coloured(images), len(images))
        train = torch.arange(len(images))
    encoding = ImageEncoding.fit(images, train, index.classes, reader.resize, reader.levels)
    return replace(encoding, separator=index.separator)


def _sources(
    index: ImageIndex,
    images: Tensor | None,
    labels: Tensor,
    train_labels: Tensor,
    reader: ImageReader,
    splits: Indices,
    add_all: bool,
) -> dict:
    if images is not None:
        columns = {"input": images, "target": labels}
        return split_columns(columns, splits, add_all, {"target": train_labels})
    targets = {split: labels[numbers] for split, numbers in splits.items()}
    targets["train"] = train_labels
    if add_all:
        splits, targets["all"] = splits | {"all": torch.arange(len(labels))}, labels
    return {
        split: FileSource([index.files[i] for i in numbers.tolist()], targets[split], reader)
        for split, numbers in splits.items()
    }


def drop_broken(index: ImageIndex, broken: dict[int, str], on_broken: str) -> Tensor:
    """Take broken files out of the index, or stop; the numbers of the others.

    Raises:
        UserError: on_broken is "stop", or nothing is left.
    """
    examples = [f"{index.files[i]}: {reason}" for i, reason in list(broken.items())[:3]]
    listed = "; ".join(examples) + ("; ..." if len(broken) > 3 else "")
    if on_broken == "stop" or len(broken) == len(index.files):
        fix = "repair or remove them"
        if len(broken) < len(index.files):
            fix += ", or leave them out with data.on_broken=skip"
        raise UserError(
            f"{len(broken)} of {len(index.files)} images cannot be used ({listed}); {fix}"
        )
    usable = [i for i in range(len(index.files)) if i not in broken]
    index.keep(usable)
    index.notes.append(f"{plural(len(broken), 'broken file')} left out: {listed}")
    return torch.tensor(usable)
