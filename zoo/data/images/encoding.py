"""How images become model input.

Shapes: N samples, C channels, H height, W width.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.encoding import ENCODINGS
from zoo.data.images.checks import note_facts
from zoo.data.images.decode import (
    MAX_PIXELS,
    BrokenImage,
    Facts,
    convert_and_look,
    decode_and_look,
)
from zoo.data.images.files import LeftOut, find_images
from zoo.data.images.levels import WHOLE, Levels
from zoo.data.images.values import check_grey, opened
from zoo.errors import UserError
from zoo.files import user_path
from zoo.phrases import plural

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and standard deviation, RGB, 0..1


@ENCODINGS.register("image")
@dataclass(frozen=True)
class ImageEncoding:
    """Bytes (N, C, H, W) to standardised float32 of the same shape.

    Attributes:
        size: Height and width, pixels.
        channels: 3 for RGB, 1 for grey.
        mean, std: Mean and standard deviation of each channel, over the pixels of the training
            split, on the scale 0..1.
        class_names: Name of each class, by number.
        resize: How files of another size are resized: "crop" or "squash" (see `decode`).
        levels: The values that become bytes, of images of more than 8 bits; None where there were
            none.
        separator: Between the labels of an image, of which it may have several; None for a class.
    """

    kind: ClassVar[str] = "image"
    holds: ClassVar[str] = "images"
    tokenizer: ClassVar[None] = None
    runtime_facts: ClassVar[dict[str, Any]] = {}
    size: tuple[int, int]
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...]
    resize: str = "crop"
    levels: Levels | None = None
    separator: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError where lengths or order are wrong; types are checked by the loader."""
        if isinstance(self.size, tuple) and len(self.size) != 2:
            raise ValueError(f"size is {self.size}, expected height and width")
        if isinstance(self.levels, tuple) and (
            len(self.levels) != 2 or not self.levels[0] < self.levels[1]
        ):
            raise ValueError(f"levels are {self.levels}, expected two rising numbers")

    @classmethod
    def fit(
        cls,
        images: Tensor,
        train: Tensor,
        class_names: Sequence[str],
        resize: str = "crop",
        levels: Levels | None = None,
    ) -> "ImageEncoding":
        """Mean and standard deviation of `images[train]` (uint8 (N, C, H, W)), exactly."""
        mean, std = channel_statistics(images, train)
        size = (images.shape[2], images.shape[3])
        return cls(size, images.shape[1], mean, std, tuple(class_names), resize, levels)

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding."""
        return {"kind": self.kind} | {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if name != "separator" or value is not None
        }

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> "ImageEncoding":
        """The inverse of `to_json`."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in json.items()
            if name != "kind"
        }
        if "levels" not in fields:  # of a run from before they were kept: the upper 8 bits of 16
            fields["levels"] = WHOLE[-1]
        return cls(**fields)

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
        """As `read_noted`, without the notes."""
        names, batch, _ = self.read_noted(path)
        return names, batch

    def read_noted(self, path: str) -> tuple[list[str], Batch, list[str]]:
        """One image file, or all images under a folder (sorted), converted to size and channels;
        and what was left out of a folder, or read in a particular way.

        Digits, MNIST and Fashion-MNIST are light on dark, and expect such images.

        Raises:
            UserError: No such path, no image, or none that can be decoded.
        """
        if not path.strip():
            raise UserError("input= is empty; expected an image file, or a folder of images")
        root, left_out = user_path(path), LeftOut()
        form = (self.channels, self.size, self.resize, MAX_PIXELS, self.levels)
        images: dict[Path, Tensor] = {}
        facts: dict[int, Facts] = {}
        broken: list[BrokenImage] = []
        for file in find_images(root, left_out):
            try:
                image, found = decode_and_look(file, *form)
            except BrokenImage as error:
                broken.append(error)
                continue
            facts[len(images)], images[file] = found, image
        if not images:
            raise broken[0]
        files = list(images)
        notes = note_facts(files, facts, self.levels, is_trained=True)
        notes += [f"left out: {error}" for error in broken[:3]]
        if more := len(broken[3:]):
            notes.append(f"left out: {plural(more, 'further broken image')}")
        notes += left_out.notes(root)
        batch = {"input": torch.stack(list(images.values()))}
        return [str(file) for file in files], batch, notes

    def read_value(self, value: Any) -> tuple[list[str], Batch, list[str]]:
        """As `read_noted`, of a Pillow image, or an array or tensor of one or several.

        Raises:
            UserError: It is of another kind or shape, or cannot be decoded.
        """
        if self.channels == 1:
            check_grey(value)
        images = opened(value, self.levels is not None)
        names = [str(getattr(image, "filename", "")) for image in images]
        form = (self.channels, self.size, self.resize, self.levels)
        try:
            found = [convert_and_look(image, *form) for image in images]
        except Exception as error:  # Pillow's decoders raise nearly every type
            raise BrokenImage(names[0] or "input", str(error)) from error
        facts = dict(enumerate(looked for _, looked in found))
        notes = note_facts([name or "input" for name in names], facts, self.levels, is_trained=True)
        return names, {"input": torch.stack([pixels for pixels, _ in found])}, notes


def channel_statistics(
    images: Tensor, train: Tensor
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of `images[train]` / 255, from byte histograms.

    A constant channel gets the standard deviation 1.
    """
    values = torch.arange(256, dtype=torch.float64) / 255
    means, deviations = [], []
    for channel in range(images.shape[1]):
        counts = torch.zeros(256, dtype=torch.int64)
        for rows in train.split(4096):
            counts += torch.bincount(images[rows, channel].flatten(), minlength=256)
        weights = counts.double() / counts.sum()
        mean = (weights * values).sum()
        std = (weights * (values - mean) ** 2).sum().sqrt()
        means.append(float(mean))
        deviations.append(float(std) if std > 0 else 1.0)
    return tuple(means), tuple(deviations)
