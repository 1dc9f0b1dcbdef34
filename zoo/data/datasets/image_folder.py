"""The user's own images: a folder per class, or a CSV file of paths and labels.

photos/cat/1.jpg  photos/dog/2.jpg              split by fractions
photos/train/cat/1.jpg  photos/test/dog/2.jpg   split as the folders say (val too)
photos/1.jpg  photos/labels.csv                 data.labels=labels.csv with columns path,label
"""

import hashlib
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from zoo.data.dataset import Dataset, fingerprint
from zoo.data.encoding import ImageEncoding, match_classes
from zoo.data.images.augment import Augment
from zoo.data.images.dataset import dealt, encoding_for_images, image_facts
from zoo.data.images.decode import MAX_PIXELS
from zoo.data.images.listing import Listing, list_images
from zoo.data.images.reader import FileSource, ImageReader
from zoo.data.splits import Split
from zoo.errors import UserError
from zoo.registry import DATASETS

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and deviation, RGB, 0..1
FITTED_ON = 4096  # training images that give mean and deviation where not all are decoded


@DATASETS.register("image_folder", needs="files")
def image_folder(
    split: Split,
    augment: Augment | None = None,
    encoding: dict[str, Any] | None = None,
    workers: int = 2,
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
        split: How to deal the images; subfolders train, val and test are kept as they are.
        augment: Random changes to training images.
        encoding: JSON of a run's encoding, to be used in place of fitting one; its size and
            channels win.
        workers: Processes that decode.
        path: The folder.
        labels: A CSV file with columns `path` (from the folder, or from the file) and `label`.
        size: Height and width of the images given to the model; one number for a square.
        channels: 3 for RGB, 1 for grey.
        resize: "crop" cuts the middle out, "squash" changes the proportions.
        normalize: By mean and deviation of the training images, or by those of ImageNet, which
            weights published for it expect.
        on_broken: "stop" at files that cannot be decoded, or "skip" them with a note.
        max_pixels: Larger images count as broken; they are not decoded.
        cache_gb: Decode all images once where they fit into this many gigabytes, otherwise each
            one when it is due.
    """
    fitted = encoding_for_images(encoding)
    if path is None:
        raise UserError(
            "data.path is missing: the folder of images, a subfolder per class; e.g. "
            "data.path=photos"
        )
    height, width = fitted.size if fitted else sides(size)
    reader = ImageReader(
        channels=fitted.channels if fitted else channels,
        size=(height, width),
        resize=fitted.resize if fitted else resize,
        max_pixels=max_pixels,
    )
    if normalize == "imagenet" and reader.channels != 3:
        raise UserError("data.normalize=imagenet: expected data.channels=3, got 1")
    listing = list_images(Path(path), labels)
    if len(listing.classes) < 2 and fitted is None:
        raise UserError(
            f"{path}: all images are of one class, '{listing.classes[0]}'; expected a subfolder "
            "for each of two classes or more"
        )
    images = None
    if len(listing.files) * reader.nbytes <= cache_gb * 1e9:
        images, broken = reader.read_all(listing.files, workers)
    else:
        broken = reader.check_all(listing.files, workers)
    if broken:
        kept = without(listing, broken, on_broken)
        images = images[kept] if images is not None else None
    dataset = _dataset(listing, images, reader, split, fitted, workers, normalize == "imagenet")
    dataset.augment = augment.bind(dataset.encoding.black, reader.size) if augment else None
    return dataset


def _dataset(
    listing: Listing,
    images: Tensor | None,
    reader: ImageReader,
    split: Split,
    encoding: ImageEncoding | None,
    workers: int,
    imagenet: bool,
) -> Dataset:
    """The dataset of images in memory, or of files where `images` is None."""
    labels = listing.labels
    index = split.indices(
        labels, listing.part("test"), listing.part("val"), allow_empty=encoding is not None
    )
    everything, fitted = encoding is not None, encoding
    sha256 = _listing_sha256(listing) if images is None else fingerprint([images, labels])
    if fitted is None and imagenet:
        fitted = ImageEncoding(reader.size, 3, *IMAGENET, tuple(listing.classes), reader.resize)
    elif fitted is None:
        pixels, train = images, index["train"]
        if pixels is None:
            step = -(-len(train) // FITTED_ON)
            chosen = [listing.files[i] for i in train[::step].tolist()]
            pixels = reader.read_all_or_stop(chosen, workers)
            train = torch.arange(len(pixels))
        fitted = ImageEncoding.fit(pixels, train, listing.classes, reader.resize)
    else:
        labels = torch.tensor(match_classes(listing.classes, fitted.class_names))[labels]
    if images is not None:
        splits = dealt({"input": images, "target": labels}, index, everything)
    else:
        parts = index | ({"all": torch.arange(len(labels))} if everything else {})
        splits = {name: _source(listing, labels, reader, i) for name, i in parts.items()}
    facts = image_facts(fitted, labels[index["train"]])
    return Dataset(facts, splits, fitted, sha256, notes=listing.notes)


def _source(listing: Listing, labels: Tensor, reader: ImageReader, index: Tensor) -> FileSource:
    return FileSource([listing.files[i] for i in index.tolist()], labels[index], reader)


def without(listing: Listing, broken: dict[int, str], on_broken: str) -> Tensor:
    """Take broken files out of the listing, or stop; the indices of those kept.

    Raises:
        UserError: on_broken is "stop", or nothing is left.
    """
    few = [f"{listing.files[i]}: {reason}" for i, reason in list(broken.items())[:3]]
    spelled = "; ".join(few) + ("; ..." if len(broken) > 3 else "")
    word = "file" if len(broken) == 1 else "files"
    if on_broken == "stop" or len(broken) == len(listing.files):
        fix = "mend or remove them"
        if len(broken) < len(listing.files):
            fix += ", or leave them out with data.on_broken=skip"
        raise UserError(
            f"{len(broken)} of {len(listing.files)} images cannot be used ({spelled}); {fix}"
        )
    kept = [i for i in range(len(listing.files)) if i not in broken]
    listing.keep(kept)
    listing.notes.append(f"{len(broken)} broken {word} left out: {spelled}")
    return torch.tensor(kept)


def sides(size: int | list[int]) -> tuple[int, int]:
    """Height and width, from `data.size`."""
    both = [size, size] if isinstance(size, int) else list(size)
    if len(both) != 2 or min(both) < 1:
        raise UserError(f"data.size={size}: expected pixels, one number or [height, width]")
    return both[0], both[1]


def _listing_sha256(listing: Listing) -> str:
    """Of names, sizes in bytes and classes: the contents are too many to read at every start."""
    digest = hashlib.sha256()
    for file, name in zip(listing.files, listing.names, strict=True):
        digest.update(f"{file}\0{file.stat().st_size}\0{name}\n".encode())
    return digest.hexdigest()
