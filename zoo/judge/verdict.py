"""What is drawn, beside real images and class-wise Gaussians."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.judge.frechet import frechet_distance
from zoo.judge.gaussians import MOST_VALUES, ClassGaussians
from zoo.judge.images import Images
from zoo.judge.neighbours import nearest
from zoo.judge.svc import PixelClassifier

MOST_TRAINED = 5000  # real training rows that the classifier of real images is trained on
MOST_TESTED = 10_000  # real test rows
CLOSEST = 0.01  # share of the test images that counts as near to training images
SHOWN = 12  # drawn images shown beside their nearest training images
GAUSSIAN_SEED = 0

Features = Callable[[Tensor], Tensor]
"""Uint8 (N, C, H, W) to (N, D): what the output layer of a trained classifier reads."""
Columns = dict[str, dict[str, float]]
"""Figures by column (real, drawn, gaussians) and name."""

REAL, DRAWN, GAUSSIANS = "real", "drawn", "gaussians"
ROWS = {
    "images": "images",
    "accuracy": "accuracy on real test images, trained on these",
    "recognised": "accuracy on these, trained on real images",
    "smallest_class": "rarest class, of its share in the training split",
    "largest_class": "most frequent class, likewise",
    "distance": "distance to the nearest training image, median",
    "near": "nearer than the nearest 1% of test images",
    "frechet": "Frechet distance to training images",
}


class Verdict(NamedTuple):
    """All that is found.

    Attributes:
        columns: The figures.
        pairs: Drawn images and the nearest training image of each, uint8 (2, S, C, H, W).
    """

    columns: Columns
    pairs: Tensor


def verdict(
    train: Images,
    test: Images,
    drawn: Images,
    has_classes: bool = True,
    features: Features | None = None,
) -> Verdict:
    """Judge drawn images.

    Real images stand in the column `real`: of the training split where something is trained on
    them, of the test split where they are compared with the training split.

    Args:
        train, test: Real images of two classes or more.
        drawn: Of a model; `labels` are the classes that it was asked for.
        has_classes: Whether it was asked for classes; if not, nothing is trained on what it drew.
        features: Of a classifier, for the Frechet distance; None to leave it out.
    """
    rows, tested = train.spread(MOST_TRAINED), test.spread(MOST_TESTED)
    sets = {DRAWN: drawn}
    if train.pixels[0].numel() <= MOST_VALUES:
        generator = torch.Generator().manual_seed(GAUSSIAN_SEED)
        sets[GAUSSIANS] = ClassGaussians(train).draw(drawn.labels, generator)
    judge = PixelClassifier(rows)
    found = judge.classes(tested.pixels)
    accuracy = float((found == tested.labels).double().mean())
    columns: Columns = {REAL: {"images": len(rows), "accuracy": accuracy, "recognised": accuracy}}
    columns[REAL] |= _shares(found, train.labels)
    reference = nearest(tested.pixels, train.pixels).distance
    columns[REAL] |= _nearness(reference, reference)
    pairs = torch.empty(0)
    for name, images in sets.items():
        column: dict[str, float] = {"images": len(images)}
        found = judge.classes(images.pixels)
        if has_classes or name == GAUSSIANS:
            column["accuracy"] = PixelClassifier(images).accuracy(tested)
            column["recognised"] = float((found == images.labels).double().mean())
        column |= _shares(found, train.labels)
        mixed = images.mixed()
        near = nearest(mixed.pixels, train.pixels)
        column |= _nearness(near.distance, reference)
        columns[name] = column
        if name == DRAWN:
            pairs = torch.stack([mixed.pixels[:SHOWN], train.pixels[near.rows[:SHOWN]]])
    if features is not None:
        _add_frechet(columns, {REAL: tested, **sets}, train, features)
    return Verdict(columns, pairs)


def _shares(found: Tensor, train_labels: Tensor) -> dict[str, float]:
    """How often the rarest and the most frequent class occur, relative to the training split."""
    number = int(max(found.max(), train_labels.max())) + 1
    real = torch.bincount(train_labels, minlength=number).double() / len(train_labels)
    ratios = torch.bincount(found, minlength=number).double()[real > 0] / len(found)
    ratios /= real[real > 0]
    return {"smallest_class": float(ratios.min()), "largest_class": float(ratios.max())}


def _nearness(distance: Tensor, reference: Tensor) -> dict[str, float]:
    limit = reference.quantile(CLOSEST)
    near = float((distance < limit).double().mean())
    return {"distance": float(distance.median()), "near": near}


def _add_frechet(
    columns: Columns, sets: dict[str, Images], train: Images, features: Features
) -> None:
    """Of equally many images of each set: the distance depends on their number."""
    number = min(map(len, sets.values()))
    known = features(train.spread(2 * MOST_TRAINED).pixels)
    for name, images in sets.items():
        some = images.mixed().first(number)
        columns[name]["frechet"] = frechet_distance(features(some.pixels), known)
