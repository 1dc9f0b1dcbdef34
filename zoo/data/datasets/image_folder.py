"""The user's own images: a folder per class, or a CSV file of paths and labels.

photos/cat/1.jpg  photos/dog/2.jpg              split by fractions
photos/train/cat/1.jpg  photos/test/dog/2.jpg   split as the folders say (val too)
photos/1.jpg  photos/labels.csv                 data.labels=labels.csv with columns path,label
"""

import hashlib
from typing import Literal

import torch
from torch import Tensor

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset, fingerprint
from zoo.data.encoding import match_classes
from zoo.data.images.dataset import image_facts
from zoo.data.images.decode import MAX_PIXELS, parse_size
from zoo.data.images.encoding import IMAGENET, ImageEncoding
from zoo.data.images.index import ImageIndex, index_images
from zoo.data.images.reader import FileSource, ImageReader
from zoo.data.splits import Indices, split_columns
from zoo.errors import UserError
from zoo.files import user_path
from zoo.registry import DATASETS

FITTED_ON = 4096  # training images that give mean and deviation where not all are decoded


@DATASETS.register("image_folder", uses=("augment",), needs="files")
def image_folder(
    context: DataContext,
    path: str | None = None,
    labels: str | None = None,
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
        size: Height and width of the images given to the model; one number for a square. A run's
            own size and channels have priority.
        channels: 3 for RGB, 1 for grey.
        resize: "crop" crops the centre, "squash" changes the aspect ratio.
        normalize: By mean and standard deviation of the training images, or by those of ImageNet,
            which weights published for it expect.
        on_broken: "stop" at files that cannot be decoded, or "skip" them with a note.
        max_pixels: Larger images count as broken; they are not decoded.
        cache_gb: Decode all images once if they fit into this many gigabytes, otherwise decode
            each when a batch needs it.
    """
    encoding = context.fitted(ImageEncoding)
    if path is None:
        raise UserError(
            "data.path is missing: the folder of images, a subfolder per class; e.g. "
            "data.path=photos"
        )
    if encoding is not None:
        reader = ImageReader(encoding.channels, encoding.size, encoding.resize, max_pixels)
    else:
        reader = ImageReader(channels, parse_size(size), resize, max_pixels)
    if normalize == "imagenet" and reader.channels != 3:
        raise UserError("data.normalize=imagenet: expected data.channels=3, got 1")
    index = index_images(user_path(path), labels)
    if len(index.classes) < 2 and context.is_new:
        raise UserError(
            f"{path}: all images are of one class, '{index.classes[0]}'; expected a subfolder "
            "for each of two classes or more"
        )
    in_memory = len(index.files) * reader.nbytes <= cache_gb * 1e9
    images = _read(index, reader, context.workers, in_memory, on_broken)
    return _dataset(index, images, reader, context, normalize == "imagenet")


def _read(
    index: ImageIndex, reader: ImageReader, workers: int, in_memory: bool, on_broken: str
) -> Tensor | None:
    """All images, or None after a check of their headers; broken ones leave the index."""
    images = None
    if in_memory:
        images, broken = reader.read_all(index.files, workers)
    else:
        broken = reader.check_all(index.files, workers)
    if not broken:
        return images
    usable = drop_broken(index, broken, on_broken)
    return images[usable] if images is not None else None


def _dataset(
    index: ImageIndex,
    images: Tensor | None,
    reader: ImageReader,
    context: DataContext,
    imagenet: bool,
) -> Dataset:
    """The dataset of images in memory, or of files where `images` is None."""
    labels, encoding = index.labels, context.fitted(ImageEncoding)
    splits = context.indices(labels, index.split("test"), index.split("val"))
    sha256 = _index_sha256(index) if images is None else fingerprint([images, labels])
    if encoding is None:
        encoding = _fit(index, images, reader, splits["train"], context.workers, imagenet)
    else:
        labels = torch.tensor(match_classes(index.classes, encoding.class_names))[labels]
    return Dataset(
        facts=image_facts(encoding, labels[splits["train"]]),
        splits=_sources(index, images, labels, reader, splits, add_all=not context.is_new),
        encoding=encoding,
        sha256=sha256,
        augment=context.augment.bind(encoding.black, encoding.size) if context.augment else None,
        notes=index.notes,
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
        return ImageEncoding(reader.size, 3, *IMAGENET, tuple(index.classes), reader.resize)
    if images is None:
        step = -(-len(train) // FITTED_ON)
        files = [index.files[i] for i in train[::step].tolist()]
        images = reader.read_all_or_stop(files, workers)
        train = torch.arange(len(images))
    return ImageEncoding.fit(images, train, index.classes, reader.resize)


def _sources(
    index: ImageIndex,
    images: Tensor | None,
    labels: Tensor,
    reader: ImageReader,
    splits: Indices,
    add_all: bool,
) -> dict:
    if images is not None:
        return split_columns({"input": images, "target": labels}, splits, add_all)
    if add_all:
        splits = splits | {"all": torch.arange(len(labels))}
    return {
        split: FileSource([index.files[i] for i in numbers.tolist()], labels[numbers], reader)
        for split, numbers in splits.items()
    }


def drop_broken(index: ImageIndex, broken: dict[int, str], on_broken: str) -> Tensor:
    """Take broken files out of the index, or stop; the numbers of the others.

    Raises:
        UserError: on_broken is "stop", or nothing is left.
    """
    examples = [f"{index.files[i]}: {reason}" for i, reason in list(broken.items())[:3]]
    listed = "; ".join(examples) + ("; ..." if len(broken) > 3 else "")
    word = "file" if len(broken) == 1 else "files"
    if on_broken == "stop" or len(broken) == len(index.files):
        fix = "repair or remove them"
        if len(broken) < len(index.files):
            fix += ", or leave them out with data.on_broken=skip"
        raise UserError(
            f"{len(broken)} of {len(index.files)} images cannot be used ({listed}); {fix}"
        )
    usable = [i for i in range(len(index.files)) if i not in broken]
    index.keep(usable)
    index.notes.append(f"{len(broken)} broken {word} left out: {listed}")
    return torch.tensor(usable)


def _index_sha256(index: ImageIndex) -> str:
    """Of names, sizes in bytes and classes: there is too much content to read at every start."""
    digest = hashlib.sha256()
    for file, name in zip(index.files, index.names, strict=True):
        digest.update(f"{file}\0{file.stat().st_size}\0{name}\n".encode())
    return digest.hexdigest()
