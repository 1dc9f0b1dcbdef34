"""Images with captions: how both become model input, and the part that such datasets share.

Shapes: N samples, C channels, H height, W width, T tokens of a caption.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset, fingerprint
from zoo.data.encoding import ENCODINGS
from zoo.data.images.encoding import ImageEncoding
from zoo.data.images.moved import moved_splits
from zoo.data.splits import Indices, split_columns
from zoo.data.text.captions import SPECIALS, Captions, longest, spelled
from zoo.data.text.coverage import coverage_notes
from zoo.data.tokenizers.registry import Tokenizer, load_tokenizer
from zoo.errors import UserError
from zoo.phrases import plural


@ENCODINGS.register("captioned")
@dataclass(frozen=True)
class CaptionedEncoding:
    """Images to standardised float32, captions to token ids.

    Attributes:
        image: Of the images.
        tokenizer: Of the captions, fitted on the training split.
        length: Tokens of a caption, at most, T.
    """

    kind: ClassVar[str] = "captioned"
    holds: ClassVar[str] = "images with captions"
    image: ImageEncoding
    tokenizer: Tokenizer
    length: int

    @cached_property
    def captions(self) -> Captions:
        """Texts to ids and back."""
        return Captions(self.tokenizer, self.length)

    @property
    def runtime_facts(self) -> dict[str, Any]:
        """Facts that are objects and have no place in JSON."""
        return {"tokenizer": self.tokenizer, "captions": self.captions}

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding."""
        return {
            "kind": self.kind,
            "length": self.length,
            "image": self.image.to_json(),
            "tokenizer": self.tokenizer.to_json(),
        }

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> "CaptionedEncoding":
        """The inverse of `to_json`."""
        image = ImageEncoding.from_json(json["image"])
        return cls(image, load_tokenizer(json["tokenizer"]), json["length"])

    def prepare(self, batch: Batch) -> Batch:
        """`input` as images are, the other columns to int64."""
        ids = {name: c.to(torch.int64) for name, c in batch.items() if name != "input"}
        return {**self.image.prepare({"input": batch["input"]}), **ids}

    def read(self, path: str) -> tuple[list[str], Batch]:
        """One image file, or all of a folder."""
        return self.image.read(path)

    def read_noted(self, path: str) -> tuple[list[str], Batch, list[str]]:
        """As `read`; and what was left out, or read in a particular way."""
        return self.image.read_noted(path)

    def read_value(self, value: Any) -> tuple[list[str], Batch, list[str]]:
        """As `read_noted`, of a Pillow image, or an array or tensor of one or several."""
        return self.image.read_value(value)

    def facts(self) -> dict[str, Any]:
        """Facts that models and tasks may ask for."""
        return {
            "input_shape": (self.image.channels, *self.image.size),
            "pixel_mean": list(self.image.mean),
            "pixel_std": list(self.image.std),
            "vocab_size": self.tokenizer.vocab_size,
            "block_size": self.length,
            "pad_id": self.captions.pad_id,
        }


def captioned_dataset(
    images: Tensor,
    texts: Sequence[str],
    group: Tensor,
    index: Indices,
    context: DataContext,
    block_size: int,
    fit: Callable[[Tensor], ImageEncoding],
    place: Tensor | None = None,
    picture: Tensor | None = None,
    places: Sequence[str] = (),
) -> Dataset:
    """A dataset of images held in memory, and their captions.

    Args:
        images: Uint8 (N, C, H, W).
        texts: The different captions, G.
        group: Number of each image's caption among them, int64 (N,).
        index: Which images belong to "train", "val" and "test".
        context: The shared settings.
        block_size: Tokens of a caption, at most; the rest is cut off.
        fit: From the numbers of the training images to their encoding.
        place: A number for each image that orders the captions, int64 (N,), if there is an order.
        picture: A number for each image, the same for equal ones, int64 (N,), where images stand
            there several times, with one of their captions each.
        places: Of the captions in a file, for messages, G.

    Raises:
        UserError: Nothing that the vocabulary knows; the run's encoding does not fit.
    """
    encoding = context.fitted(CaptionedEncoding)
    known = sorted(set(group[index["train"]].tolist()))
    if encoding is None:
        seen = [texts[k] for k in known]
        encoding = _fit(context, seen, block_size, fit(index["train"]))
    else:
        context.tokenizer.check_same(encoding.tokenizer)
        trained, shape = (encoding.image.channels, *encoding.image.size), tuple(images.shape[1:])
        if trained != shape:
            raise UserError(f"the run was trained on images of {trained}, the data has {shape}")
    rows = encoding.captions.rows(texts, places)
    alike = encoding.captions.alike(texts, rows)
    caption = encoding.captions.padded(rows).to(torch.int32)[group]
    columns = {"input": images, "caption": caption, "group": alike[group]}
    columns |= {n: c for n, c in (("place", place), ("picture", picture)) if c is not None}
    augment = context.augment
    bound = augment.bind(encoding.image.black, encoding.image.size) if augment else None
    named = hashlib.sha256("\n".join(texts).encode("utf-8", "surrogatepass")).hexdigest()
    splits = split_columns(columns, index, add_all=not context.is_new)
    return Dataset(
        facts=encoding.facts(),
        splits=moved_splits(splits, context.test_shift, encoding.image.size),
        encoding=encoding,
        sha256=hashlib.sha256((fingerprint([images, group]) + named).encode()).hexdigest(),
        augment=bound,
        notes=[
            *_notes(texts, alike[group], index, encoding),
            *_note_read(alike, [len(row) for row in rows], encoding.length),
        ],
    )


def _fit(
    context: DataContext, texts: Sequence[str], block_size: int, image: ImageEncoding
) -> CaptionedEncoding:
    if block_size < 1:
        raise UserError(f"data.block_size={block_size}: expected 1 or more")
    read = (spelled(text) for text in texts)
    tokenizer = context.tokenizer.train(read, SPECIALS, leading_space=True)
    length = min(block_size, max(1, longest(tokenizer, texts)))
    return CaptionedEncoding(image, tokenizer, length)


def _notes(
    texts: Sequence[str], group: Tensor, index: Indices, encoding: CaptionedEncoding
) -> list[str]:
    """How many images and captions each split has, and how much of them is known."""
    members = {split: group[rows].unique().tolist() for split, rows in index.items()}
    sizes = ", ".join(
        f"{split} {plural(len(index[split]), 'image')} of {plural(len(numbers), 'caption')}"
        for split, numbers in members.items()
    )
    samples = {
        split: lambda numbers=numbers: [texts[k] for k in numbers[:: -(-len(numbers) // 1000)]]
        for split, numbers in members.items()
        if numbers
    }
    tokenizer = encoding.tokenizer
    vocabulary = f"vocabulary {tokenizer.vocab_size:,} ({tokenizer.kind}), up to {encoding.length}"
    return [
        f"{sizes}; {vocabulary} tokens a caption",
        *coverage_notes("captions", tokenizer, samples, predicted=False),
    ]


def _note_read(alike: Tensor, lengths: Sequence[int], length: int) -> list[str]:
    """What is lost of captions: words beyond the last token, and what makes two of them differ."""
    notes = []
    if longer := sum(own > length for own in lengths):
        notes.append(
            f"{plural(longer, 'caption')} of more than {plural(length, 'token')} (up to "
            f"{max(lengths):,}) truncated; data.block_size sets the length of a new run"
        )
    if same := len(alike) - len(alike.unique()):
        notes.append(
            f"{plural(same, 'caption')} counted as equal to others: what differs, such as "
            "capitals, is not read"
        )
    return notes
