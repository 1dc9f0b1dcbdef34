"""What to say of images that can be read and still look wrong: pictures that repeat, one colour."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from zoo.data.images.decode import Facts, image_size
from zoo.data.images.levels import Levels, describe, levels_of
from zoo.data.splits import Indices
from zoo.phrases import first_few, plural

LOOKED_AT = 200  # files whose size is looked at


def note_repeated(
    files: Sequence[Path], labels: Tensor, splits: Indices, groups: list[list[int]]
) -> list[str]:
    """Notes on pictures that are in several classes, or in train and in another split.

    Args:
        files: All files.
        labels: Their classes, int64 (N,).
        splits: Their numbers by split; empty for files of another to evaluate.
        groups: As `repeated` gives them.
    """
    part = {i: split for split, numbers in splits.items() for i in numbers.tolist()}
    several = [g for g in groups if len({int(labels[i]) for i in g}) > 1]
    leaked = [g for g in groups if len({part.get(i) for i in g}) > 1 and _in_train(g, part)]
    notes = []
    for found, what in (
        (several, "the same picture is in several classes"),
        (leaked, "the same picture is in train and in another split, which makes its score better"),
    ):
        if found:
            first, second = (files[i] for i in _different(found[0], part, labels)[:2])
            notes.append(f"{what}: {plural(len(found), 'picture')}, as {first} = {second}")
    return notes


def _in_train(group: list[int], part: dict[int, str]) -> bool:
    return any(part.get(i) == "train" for i in group)


def _different(group: list[int], part: dict[int, str], labels: Tensor) -> list[int]:
    """The first of a group, and the first that differs from it in class or else in split."""
    first = group[0]
    others = sorted(
        group[1:],
        key=lambda i: (labels[i] == labels[first], part.get(i) == part.get(first)),
    )
    return [first, *others]


def note_sizes(files: Sequence[Path], size: tuple[int, int], channels: int, resize: str) -> str:
    """`images of 40x40 to 120x90 pixels, cropped to 16x16, RGB`; of many, of a part of them."""
    part = files[:: -(-len(files) // LOOKED_AT)]
    sizes = sorted({found for file in part if (found := image_size(file))}, key=math.prod)
    what = f"images of {_pixels(sizes[0])}" if sizes else "images"
    if len(sizes) > 1:
        what += f" to {_pixels(sizes[-1])}"
    verb = "cropped" if resize == "crop" else "squashed"
    form = f"{verb} to" if sizes != [size[::-1]] else "taken as"
    looked_at = f" (of {len(part):,} looked at)" if len(part) < len(files) else ""
    colours = "RGB" if channels == 3 else "grey"
    return f"{what} pixels{looked_at}, {form} {_pixels(size[::-1])}, {colours}"


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def one_coloured(images: Tensor) -> Tensor:
    """Numbers of the images, uint8 (N, C, H, W), whose pixels are all the same; int64 (M,)."""
    found = []
    for start in range(0, len(images), 1024):
        flat = images[start : start + 1024].flatten(2)  # (n, C, H * W)
        same = (flat == flat[:, :, :1]).all(2).all(1)
        found.append(same.nonzero()[:, 0] + start)
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.int64)


def note_one_coloured(files: Sequence[Path | str], numbers: Tensor, looked_at: int) -> list[str]:
    """A note on images of one colour, if there are any, of `looked_at` that were decoded."""
    if not len(numbers):
        return []
    names = first_few(files[i] for i in numbers.tolist())
    verb = "image is" if looked_at == 1 else "images are"
    return [f"{len(numbers):,} of {looked_at:,} {verb} of one colour: {names}"]


def note_facts(
    files: Sequence[Path | str],
    facts: dict[int, Facts],
    levels: Levels | None,
    is_trained: bool = False,
) -> list[str]:
    """Notes on files that are read in a particular way.

    Args:
        files: All files.
        facts: Of those that have something to say, by number.
        levels: The values that are read as 0..255, of images of more than 8 bits.
        is_trained: Whether they are known from training: values that fit them are not noted.
    """
    ranges = [found.values for found in facts.values() if found.values]
    notes = _note_levels(ranges, levels, is_trained) if ranges else []
    for name, text in (
        ("has_nan", "with values that are no numbers: read as black"),
        ("is_animated", "with several frames or pages: the first is read"),
        ("is_transparent", "with transparent parts: read as black"),
    ):
        numbers = [i for i, found in facts.items() if getattr(found, name)]
        if numbers:
            notes.append(f"{plural(len(numbers), 'image')} {text} ({files[numbers[0]]})")
    return notes


def _note_levels(
    ranges: Sequence[tuple[float, float, bool]], levels: Levels | None, is_trained: bool
) -> list[str]:
    number = f"{plural(len(ranges), 'image')} of more than 8 bits"
    if levels is None:
        return [
            f"{number}, which the run was not trained on: black and white are those of each file's "
            "own range"
        ]
    low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    values = f"{number} with values {low:.7g}..{high:.7g}: {describe(levels)} is read as"
    notes = [f"{values} black..white"]
    own = levels_of(ranges)
    if own and (own[0] < levels[0] or own[1] > levels[1]):
        return [*notes, "their values go beyond those that the run was trained on"]
    return [] if is_trained else notes
