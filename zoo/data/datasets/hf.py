"""Any dataset of Hugging Face's hub, or of files that its library reads: text, pairs, images.

An optional extra: pip install -e '.[hf]'. The dataset's own splits are kept (train, validation,
test); a missing one is taken from train. Running text is read row by row, each row ending with a
newline, from where the library keeps it on the disk; where a split is missing, the last rows of
train serve. Code that comes with a dataset is never run.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from zoo.data.dataset import Dataset
from zoo.data.datasets.image_folder import sides
from zoo.data.hub import Rows, classes, column, load, texts, values
from zoo.data.images.augment import Augment
from zoo.data.images.dataset import encoding_for_images, image_dataset
from zoo.data.images.decode import BrokenImage, fit
from zoo.data.progress import Progress
from zoo.data.splits import Split
from zoo.data.text.document import Document, byte_length
from zoo.data.text.encoding import TextForm
from zoo.data.text.labelled import labelled_text_dataset
from zoo.data.text.pairs import deal_pairs, pair_dataset
from zoo.data.text.windows import token_dataset
from zoo.errors import UserError
from zoo.registry import DATASETS

BATCH = 1000  # rows of running text read at once
MOST = 8e9  # bytes of decoded images; they are held in memory
Parts = Mapping[str, Rows]


@DATASETS.register("hf", needs="files", tiny=dict(block_size=32))
def hf(
    split: Split,
    form: TextForm,
    block_size: int,
    augment: Augment | None = None,
    encoding: dict[str, Any] | None = None,
    path: str | None = None,
    subset: str | None = None,
    kind: Literal["text", "labelled_text", "pairs", "images"] = "text",
    input: str | None = None,
    target: str | None = None,
    max_length: int | None = 128,
    size: int | list[int] = 64,
    channels: Literal[1, 3] = 3,
    resize: Literal["crop", "squash"] = "crop",
    root: str = "data",
) -> Dataset:
    """A Hugging Face dataset.

    Args:
        split: How to deal what the dataset does not split itself.
        form: Which tokenizer (texts).
        block_size: Tokens of a window, or the most of a labelled text.
        augment: Random changes to training images.
        encoding: JSON of a run's encoding, to be used in place of fitting one.
        path: Name on the hub, folder or file.
        subset: Which of several configurations.
        kind: What to make of it.
        input: The column of the texts or images; of pairs, of the sources (`translation.en`).
        target: The column of the classes; of pairs, of the targets.
        max_length: The most tokens of either side of a pair.
        size, channels, resize: Of images, as for image_folder.
        root: Tokenised running text is kept there.
    """
    if kind != "images" and augment not in (None, Augment()):
        raise UserError(f"data.augment changes images; with data.kind={kind} leave it out")
    parts, notes = load(path, subset)
    if kind == "text":
        name = column(parts["train"], input, "data.input", ("text", "content", "sentence"))
        dealt = running_text(parts, name, split)
        whole = list({id(one): one for found in dealt.values() for one in found}.values())
        dataset = token_dataset("hf", dealt, form, block_size, root, encoding, whole)
    elif kind == "pairs":
        pairs = pairs_of(parts, input, target, split, encoding is not None)
        dataset = pair_dataset(f"hf {path}", pairs, form, max_length, encoding)
    elif kind == "labelled_text":
        dataset = labelled(parts, input, target, split, form, block_size, encoding)
    else:
        dataset = images(parts, input, target, split, augment, encoding, size, channels, resize)
    dataset.notes += notes
    return dataset


def running_text(parts: Parts, name: str, split: Split) -> dict[str, list[Document]]:
    """A document for each split; one that the dataset lacks is cut from the end of train.

    Raises:
        UserError: Cross-validation, or a column that holds no texts.
    """
    if split.folds is not None:
        raise UserError(f"data.folds={split.folds}: running text of data=hf cannot be dealt")
    texts(parts["train"].select(range(1)), name, "data.input")
    spans = {part: (rows, 0, len(rows)) for part, rows in parts.items()}
    train, stop = parts["train"], len(parts["train"])
    for part, share in (("test", split.test_fraction), ("val", split.val_fraction)):
        if part not in parts:
            start = stop - max(1, round(share * len(train)))
            spans[part], stop = (train, start, stop), start
    if stop < 1:
        raise UserError(f"{len(train)} rows are too few to split; expected 3 or more")
    spans["train"] = (train, 0, stop)
    dealt = {}
    for part in ("train", "val", "test"):
        read = partial(_lines, *spans[part], name)
        size = sum(byte_length(piece) for piece in read())
        dealt[part] = [Document(part, size, read)]
    return dealt


def _lines(rows: Rows, start: int, stop: int, name: str) -> Iterator[str]:
    for at in range(start, stop, BATCH):
        part = rows.select(range(at, min(at + BATCH, stop)))
        found = texts(part, name, "data.input")
        yield "".join(text if text.endswith("\n") else f"{text}\n" for text in found)


def pairs_of(
    parts: Parts, source: str | None, target: str | None, split: Split, allow_empty: bool
) -> dict[str, list[tuple[str, str]]]:
    """Pairs by split; one that the dataset lacks is dealt from train."""
    first = parts["train"]
    source = column(first, source, "data.input", ("source", "src"))
    target = column(first, target, "data.target", ("target", "tgt"))
    given = {
        part: list(zip(texts(rows, source, "data.input"), texts(rows, target, "data.target")))
        for part, rows in parts.items()
    }
    if len(given) == 3:
        return {part: given[part] for part in ("train", "val", "test")}
    dealt = deal_pairs(given["train"], split, allow_empty)
    for part in ("val", "test"):
        if part in given:
            dealt["train"] += dealt[part]
            dealt[part] = given[part]
    return dealt


def labelled(
    parts: Parts,
    text: str | None,
    target: str | None,
    split: Split,
    form: TextForm,
    block_size: int,
    encoding: dict[str, Any] | None,
) -> Dataset:
    """Texts and their classes."""
    first = parts["train"]
    text = column(first, text, "data.input", ("text", "sentence", "content"))
    target = column(first, target, "data.target", ("label", "labels", "class"))
    numbers, names = classes(parts, target)
    found = [one for rows in parts.values() for one in texts(rows, text, "data.input")]
    labels, fixed = torch.tensor(numbers), _fixed(parts)
    index = split.indices(labels, fixed["test"], fixed["val"], allow_empty=encoding is not None)
    return labelled_text_dataset("hf", found, labels, names, index, form, block_size, encoding)


def images(
    parts: Parts,
    image: str | None,
    target: str | None,
    split: Split,
    augment: Augment | None,
    encoding: dict[str, Any] | None,
    size: int | list[int],
    channels: int,
    resize: str,
) -> Dataset:
    """Images and their classes, decoded once.

    Raises:
        UserError: A broken image, or more pixels than fit into memory.
    """
    first = parts["train"]
    image = column(first, image, "data.input", ("image", "img"))
    target = column(first, target, "data.target", ("label", "labels", "fine_label", "class"))
    labels, names = classes(parts, target)
    fitted = encoding_for_images(encoding)
    height, width = fitted.size if fitted else sides(size)
    channels, resize = (fitted.channels, fitted.resize) if fitted else (channels, resize)
    number = channels * height * width
    if number * len(labels) > MOST:
        raise UserError(
            f"{len(labels):,} images of {height}x{width} take {number * len(labels) / 1e9:.0f}"
            f" GB, more than the {MOST / 1e9:.0f} GB that are held in memory; lower data.size"
        )
    pixels = torch.zeros(len(labels), channels, height, width, dtype=torch.uint8)
    at = 0
    with Progress("decoding images", len(labels), "images") as progress:
        for part, rows in parts.items():
            for row in range(len(rows)):
                pixels[at] = _decode(rows, row, image, part, channels, (height, width), resize)
                at += 1
                progress.update(1)
    fixed = _fixed(parts)
    return image_dataset(
        pixels,
        torch.tensor(labels),
        names,
        split,
        augment,
        encoding,
        fixed["test"],
        fixed_val=fixed["val"],
        resize=resize,
    )


def _decode(
    rows: Rows, row: int, name: str, part: str, channels: int, size: tuple[int, int], resize: str
) -> Tensor:
    try:
        found = values(rows.select(range(row, row + 1)), name)[0]
        return fit(found, channels, size, resize)
    except Exception as error:  # Pillow's decoders raise nearly every type
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BrokenImage(f"data.input: '{name}', row {row} of {part}", reason) from None


def _fixed(parts: Parts) -> dict[str, Tensor | None]:
    """Where the rows of the dataset's own splits lie, one split after another."""
    fixed: dict[str, Tensor | None] = {"val": None, "test": None}
    start = 0
    for part, rows in parts.items():
        fixed[part] = torch.arange(start, start + len(rows))
        start += len(rows)
    return fixed
