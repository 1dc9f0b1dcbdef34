"""From decoded images and labels to a `Dataset`: the part that all image datasets share."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset, fingerprint
from zoo.data.encoding import match_classes
from zoo.data.images.encoding import ImageEncoding
from zoo.data.images.levels import Levels
from zoo.data.images.moved import moved_splits
from zoo.data.labels import label_facts
from zoo.data.splits import split_columns
from zoo.errors import UserError


def image_dataset(
    images: Tensor,
    labels: Tensor,
    class_names: Sequence[str],
    context: DataContext,
    fixed_test: Tensor | None = None,
    fixed_val: Tensor | None = None,
    resize: str = "crop",
    levels: Levels | None = None,
) -> Dataset:
    """A dataset of images held in memory.

    Args:
        images: Uint8 (N, C, H, W).
        labels: Int64 (N,), numbers of `class_names`.
        class_names: Name of each class.
        context: The shared settings.
        fixed_test: Indices of the official test split.
        fixed_val: Indices of the official validation split.
        resize: How files of another size are resized, "crop" or "squash".
        levels: The values that became bytes, where images have more than 8 bits.

    Raises:
        UserError: A split is empty, or the run's encoding does not fit these images.
    """
    encoding = context.fitted(ImageEncoding)
    index = context.indices(labels, fixed_test, fixed_val, class_names)
    sha256 = fingerprint([images, labels])
    if encoding is None:
        encoding = ImageEncoding.fit(images, index["train"], class_names, resize, levels)
    else:
        _check_shape(images, encoding)
        labels = torch.tensor(match_classes(class_names, encoding.class_names))[labels]
    columns = {"input": images, "target": labels}
    targets = context.train_targets(labels, index["train"], len(encoding.class_names))
    splits = split_columns(columns, index, not context.is_new, {"target": targets})
    return Dataset(
        facts=image_facts(encoding, targets),
        splits=moved_splits(splits, context.test_shift, encoding.size),
        encoding=encoding,
        sha256=sha256,
        augment=context.augment.bind(encoding.black, encoding.size) if context.augment else None,
    )


def image_facts(encoding: ImageEncoding, train_labels: Tensor) -> dict[str, Any]:
    """Facts that models and tasks may ask for."""
    number = len(encoding.class_names)
    shape = {
        "input_shape": (encoding.channels, *encoding.size),
        "pixel_mean": list(encoding.mean),
        "pixel_std": list(encoding.std),
    }
    if encoding.separator is not None:
        return shape | label_facts(encoding.class_names, train_labels)
    return shape | {
        "num_classes": number,
        "num_outputs": number,
        "class_names": list(encoding.class_names),
        "class_counts": torch.bincount(train_labels, minlength=number).tolist(),
    }


def _check_shape(images: Tensor, encoding: ImageEncoding) -> None:
    shape, trained = tuple(images.shape[1:]), (encoding.channels, *encoding.size)
    if shape != trained:
        actual, expected = ("x".join(map(str, sizes)) for sizes in (shape, trained))
        raise UserError(
            f"the data's images are {actual} (channels x height x width), the run was trained on "
            f"{expected}; evaluate on data of that shape (data=image_folder resizes)"
        )
