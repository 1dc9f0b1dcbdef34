"""From decoded images and labels to a `Dataset`: what every image set has in common."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.data.dataset import Dataset, Encoding, TensorSource, fingerprint
from zoo.data.encoding import ImageEncoding, load_encoding, match_classes
from zoo.data.images.augment import Augment
from zoo.data.splits import Indices, Split
from zoo.errors import UserError


def image_dataset(
    images: Tensor,
    labels: Tensor,
    class_names: Sequence[str],
    split: Split,
    augment: Augment | None = None,
    encoding: dict[str, Any] | None = None,
    fixed_test: Tensor | None = None,
    sha256: str | None = None,
    fixed_val: Tensor | None = None,
    resize: str = "crop",
) -> Dataset:
    """A dataset of images held in memory.

    Args:
        images: Uint8 (N, C, H, W).
        labels: Int64 (N,), numbers of `class_names`.
        class_names: Name of each class.
        split: How to deal the samples.
        augment: Random changes to training images.
        encoding: JSON of a run's encoding, to be used in place of fitting one.
        fixed_test: Indices of the official test split.
        sha256: Of the content, where it is known already.
        fixed_val: Indices of the official validation split.
        resize: How files of another size are to be fitted in, "crop" or "squash".

    Raises:
        UserError: A split is empty, or the run's encoding does not fit these images.
    """
    fitted = encoding_for_images(encoding)
    index = split.indices(labels, fixed_test, fixed_val, allow_empty=fitted is not None)
    sha256 = sha256 or fingerprint([images, labels])
    if fitted is None:
        fitted = ImageEncoding.fit(images, index["train"], class_names, resize)
    else:
        _check_shape(images, fitted)
        labels = torch.tensor(match_classes(class_names, fitted.class_names))[labels]
    splits = dealt({"input": images, "target": labels}, index, everything=encoding is not None)
    return Dataset(
        facts=image_facts(fitted, labels[index["train"]]),
        splits=splits,
        encoding=fitted,
        sha256=sha256,
        augment=augment.bind(fitted.black, fitted.size) if augment else None,
    )


def dealt(columns: Mapping[str, Tensor], index: Indices, everything: bool) -> dict[str, Any]:
    """Sources of the splits: slices of one reordered copy; `everything` adds "all", in order."""
    order = torch.cat(list(index.values()))
    copy = {name: column[order] for name, column in columns.items()}
    splits, start = {}, 0
    for name, part in index.items():
        end = start + len(part)
        splits[name] = TensorSource({key: column[start:end] for key, column in copy.items()})
        start = end
    if everything:
        splits["all"] = TensorSource(dict(columns))
    return splits


def image_facts(encoding: ImageEncoding, train_labels: Tensor) -> dict[str, Any]:
    """What models and tasks may ask for."""
    number = len(encoding.class_names)
    return {
        "input_shape": (encoding.channels, *encoding.size),
        "num_classes": number,
        "num_outputs": number,
        "class_names": list(encoding.class_names),
        "class_counts": torch.bincount(train_labels, minlength=number).tolist(),
    }


def encoding_for_images(json: dict[str, Any] | None) -> ImageEncoding | None:
    """The run's encoding, if one is given; it must be one for images."""
    if json is None:
        return None
    fitted: Encoding = load_encoding(json)
    if not isinstance(fitted, ImageEncoding):
        raise UserError(f"the data holds images, the run was trained on a {json['kind']}")
    return fitted


def _check_shape(images: Tensor, fitted: ImageEncoding) -> None:
    shape, trained = tuple(images.shape[1:]), (fitted.channels, *fitted.size)
    if shape != trained:
        spelled, expected = ("x".join(map(str, s)) for s in (shape, trained))
        raise UserError(
            f"the data's images are {spelled} (channels x height x width), the run was trained on "
            f"{expected}; evaluate on data of that shape (data=image_folder resizes)"
        )
