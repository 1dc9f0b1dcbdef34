"""The user's own images and captions: a folder, and a CSV or JSONL file that describes its images.

photos/1.jpg  photos/2.jpg  photos/captions.csv (path,caption)
"""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.images.captioned import CaptionedEncoding, captioned_dataset
from zoo.data.images.checks import note_facts, note_repeated, note_sizes
from zoo.data.images.decode import MAX_PIXELS, parse_size
from zoo.data.images.encoding import ImageEncoding
from zoo.data.images.listed import CAPTION_NAMES, Listed, read_list
from zoo.data.images.pixel_cache import PixelCache
from zoo.data.images.reader import ImageReader
from zoo.data.paths import not_found
from zoo.data.repeated import repeated
from zoo.data.splits import Indices
from zoo.errors import UserError
from zoo.files import user_path
from zoo.registry import DATASETS


@DATASETS.register("captioned", uses=("augment", "root", "tokenizer"), needs="files")
def captioned(
    context: DataContext,
    path: str | None = None,
    captions: str = "captions.csv",
    size: int | list[int] = 64,
    channels: Literal[1, 3] = 3,
    resize: Literal["crop", "squash"] = "crop",
    block_size: int = 32,
) -> Dataset:
    """Images of files with their captions, decoded once and held in memory.

    Args:
        context: The shared settings.
        path: The folder of images.
        captions: A CSV or JSONL file, in the folder or elsewhere, with columns `path` (from the
            folder, or from the file) and `caption`, and perhaps `split` (train, val, test). An
            image with several captions has a line for each.
        size: Height and width of the images given to the model; one number for a square. A run's
            own size and channels have priority.
        channels: 3 for RGB, 1 for grey.
        resize: "crop" crops the centre, "squash" changes the aspect ratio.
        block_size: Tokens of a caption, at most; the rest is cut off.

    Raises:
        UserError: No such folder or file, lines without an image or a caption, broken images.
    """
    if path is None:
        raise UserError(
            "data.path is missing: the folder of images that captions.csv (path,caption) "
            "describes; e.g. data.path=photos"
        )
    root = user_path(path)
    if not root.is_dir():
        raise UserError(f"{root}: expected a folder") if root.exists() else not_found(root)
    listed = read_list(root, captions, CAPTION_NAMES, repeats=True)
    if not listed.files:
        raise UserError(f"{listed.source}: lists no image; expected lines of path and caption")
    reader = ImageReader(channels, parse_size(size), resize, MAX_PIXELS)
    encoding = context.fitted(CaptionedEncoding)
    if encoding is not None:
        form = encoding.image
        reader = ImageReader(form.channels, form.size, form.resize, MAX_PIXELS, form.levels)
    files = list(dict.fromkeys(listed.files))
    images, reader, notes = _read(files, reader, context)
    number = {file: k for k, file in enumerate(files)}
    own = torch.tensor([number[file] for file in listed.files])
    lines = dict(zip(reversed(listed.texts), reversed(listed.lines)))  # the first of each caption
    texts = sorted(lines)
    places = [f"{listed.source}, line {lines[text]}" for text in texts]
    group = {text: k for k, text in enumerate(texts)}
    groups = torch.tensor([group[text] for text in listed.texts])
    index = _split(listed, own, len(files), context)

    def fit(train: Tensor) -> ImageEncoding:
        return ImageEncoding.fit(images, own[train].unique(), (), resize, reader.levels)

    picture = own if len(files) < len(own) else None
    parts = (images[own], texts, groups, index, context, block_size, fit)
    dataset = captioned_dataset(*parts, picture=picture, places=places)
    sizes = note_sizes(files, reader.size, reader.channels, reader.resize)
    trained = index if context.is_new else {}  # others' splits say nothing of what it has seen
    of_images = {split: own[rows].unique() for split, rows in trained.items()}
    copies = note_repeated(files, torch.zeros(len(files)), of_images, repeated(files))
    return replace(dataset, notes=[*dataset.notes, sizes, *listed.notes, *notes, *copies])


def _read(
    files: list[Path], reader: ImageReader, context: DataContext
) -> tuple[Tensor, ImageReader, list[str]]:
    """All images, the reader with the levels of those of more than 8 bits, and notes."""
    cache = PixelCache(context.root)
    images, facts = cache.read_all(reader, files, context.workers)
    broken = [f"{files[k]}: {found.reason}" for k, found in facts.items() if found.reason]
    if broken:
        more = "; ..." if len(broken) > 3 else ""
        raise UserError(
            f"{len(broken)} of {len(files)} images cannot be used ({'; '.join(broken[:3])}{more}); "
            "repair them, or take them out of the list"
        )
    if context.encoding is None and (deep := [k for k, found in facts.items() if found.is_deep]):
        reader = reader.fit_levels(facts.values())
        images[deep] = reader.read_all([files[k] for k in deep], context.workers)[0]
    return images, reader, [*cache.notes, *note_facts(files, facts, reader.levels)]


def _split(listed: Listed, own: Tensor, number: int, context: DataContext) -> Indices:
    """The lines of each split: all captions of an image are in one."""
    split_of: list[str | None] = [None] * number
    for image, split in zip(own.tolist(), listed.splits, strict=True):
        if split_of[image] not in (None, split):
            raise UserError(
                f"{listed.source}: {listed.files[own.tolist().index(image)]} is listed in the "
                f"splits {split_of[image]} and {split}; expected one"
            )
        split_of[image] = split
    fixed = {
        name: torch.tensor([k for k, split in enumerate(split_of) if split == name])
        for name in ("test", "val")
        if name in split_of
    }
    classes = torch.zeros(number, dtype=torch.int64)
    images = context.indices(classes, fixed.get("test"), fixed.get("val"))
    return {name: torch.isin(own, members).nonzero()[:, 0] for name, members in images.items()}
