"""How images become model input, and `load_encoding` for every kind of encoding.

Shapes: N samples, C channels, H height, W width.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.dataset import Encoding
from zoo.data.images.decode import decode, find_images
from zoo.data.tables.encoding import TableEncoding
from zoo.data.text.encoding import TextEncoding
from zoo.data.text.labelled_encoding import LabelledTextEncoding
from zoo.data.text.pair_encoding import PairEncoding
from zoo.data.text.prompt_encoding import SftEncoding
from zoo.errors import UserError


@dataclass(frozen=True)
class ImageEncoding:
    """Bytes (N, C, H, W) to standardised float32 of the same shape.

    Attributes:
        size: Height and width, pixels.
        channels: 3 for RGB, 1 for grey.
        mean, std: Per channel, over the pixels of the training split, on the scale 0..1.
        class_names: Name of each class, by number.
        resize: How files of another size are fitted in: "crop" or "squash" (see `image_file`).
    """

    kind: ClassVar[str] = "image"
    size: tuple[int, int]
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...]
    resize: str = "crop"

    @classmethod
    def fit(
        cls, images: Tensor, train: Tensor, class_names: Sequence[str], resize: str = "crop"
    ) -> "ImageEncoding":
        """Mean and deviation of `images[train]` (uint8 (N, C, H, W)), exactly, in integers."""
        mean, std = channel_statistics(images, train)
        size = (images.shape[2], images.shape[3])
        return cls(size, images.shape[1], mean, std, tuple(class_names), resize)

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding."""
        return {"kind": self.kind} | {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> "ImageEncoding":
        """The inverse of `to_json`."""
        fields = {name: value for name, value in json.items() if name != "kind"}
        return cls(**{n: tuple(v) if isinstance(v, list) else v for n, v in fields.items()})

    def prepare(self, batch: Batch) -> Batch:
        """`input` from uint8 (N, C, H, W) to standardised float32, on its own device."""
        images = batch["input"].to(torch.float32, copy=True)
        for channel, (mean, std) in enumerate(zip(self.mean, self.std, strict=True)):
            images[:, channel].mul_(1 / (255 * std)).add_(-mean / std)
        return {**batch, "input": images}

    @property
    def black(self) -> list[float]:
        """A black pixel per channel, after `prepare`."""
        return [-m / s for m, s in zip(self.mean, self.std, strict=True)]

    def read(self, path: str) -> tuple[list[str], Batch]:
        """One image file, or all images under a folder (sorted), converted to size and channels.

        Digits, MNIST and Fashion-MNIST are light on dark: give them such images.
        """
        files = find_images(Path(path))
        images = [decode(file, self.channels, self.size, self.resize) for file in files]
        return [str(file) for file in files], {"input": torch.stack(images)}


def channel_statistics(
    images: Tensor, train: Tensor
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of `images[train]` / 255, from byte histograms.

    A channel that never changes gets the deviation 1.
    """
    values = torch.arange(256, dtype=torch.float64) / 255
    means, deviations = [], []
    for channel in range(images.shape[1]):
        counts = torch.zeros(256, dtype=torch.int64)
        for part in train.split(4096):
            counts += torch.bincount(images[part, channel].flatten(), minlength=256)
        weights = counts.double() / counts.sum()
        mean = (weights * values).sum()
        std = (weights * (values - mean) ** 2).sum().sqrt()
        means.append(float(mean))
        deviations.append(float(std) if std > 0 else 1.0)
    return tuple(means), tuple(deviations)


ENCODINGS: dict[str, Any] = {
    one.kind: one
    for one in (
        ImageEncoding,
        LabelledTextEncoding,
        PairEncoding,
        SftEncoding,
        TableEncoding,
        TextEncoding,
    )
}


def load_encoding(json: dict[str, Any]) -> Encoding:
    """The encoding that `to_json` described.

    Raises:
        UserError: The kind is not known, or fields are missing.
    """
    kind = json.get("kind")
    if kind not in ENCODINGS:
        raise UserError(f"encoding of unknown kind {kind!r} (one of: {', '.join(ENCODINGS)})")
    try:
        return ENCODINGS[kind].from_json(json)
    except (TypeError, KeyError) as error:
        raise UserError(f"the run's {kind} encoding is damaged: {error}") from error


def match_classes(names: Sequence[str], trained: Sequence[str]) -> list[int]:
    """For each class of the data, its number in the run.

    Raises:
        UserError: The run was not trained on one of the classes.
    """
    if any(name not in trained for name in names):
        raise UserError(
            f"the data has {len(names)} classes ({spell(names)}), the run was trained on "
            f"{len(trained)} ({spell(trained)}); evaluate on data of the same classes"
        )
    return [list(trained).index(name) for name in names]


def spell(names: Sequence[str], most: int = 3) -> str:
    """The first few names, then dots."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
