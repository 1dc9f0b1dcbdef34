"""Any dataset of Hugging Face's hub, or of files that its library reads: text, pairs, images.

An optional extra: pip install -e '.[hf]'. The dataset's own splits are kept (train, validation,
test); a missing one is taken from train. Running text is read row by row, each row ending with a
newline, from where the library keeps it on the disk; a missing split is the last rows of train.
Code that comes with a dataset is never run.
"""

from collections.abc import Iterator, Mapping, Sized
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.hub import Rows, classes, column, filled, load, texts, values
from zoo.data.images.augment import Augment
from zoo.data.images.checks import note_facts, note_one_coloured, one_coloured
from zoo.data.images.dataset import image_dataset
from zoo.data.images.decode import BrokenImage, Facts, convert_and_look, parse_size
from zoo.data.images.encoding import ImageEncoding
from zoo.data.images.layout import counted
from zoo.data.images.levels import Levels, levels_of
from zoo.data.progress import Progress
from zoo.data.splits import Split, renumbered
from zoo.data.text.document import Document, byte_length
from zoo.data.text.labelled import labelled_text_dataset
from zoo.data.text.pairs import Pair, pair_dataset, split_pairs
from zoo.data.text.windows import token_dataset
from zoo.errors import UserError
from zoo.registry import DATASETS

BATCH = 1000  # rows of running text that are read at once
MAX_BYTES = 8e9  # of decoded images, which are held in memory
Published = Mapping[str, Rows]  # rows by split, "train" among them


@DATASETS.register(
    "hf", uses=("root", "tokenizer", "augment", "labels"), needs="files", tiny={"block_size": 32}
)
def hf(
    context: DataContext,
    block_size: int,
    path: str | None = None,
    subset: str | None = None,
    kind: Literal["text", "labelled_text", "pairs", "images"] = "text",
    input: str | None = None,
    target: str | None = None,
    max_length: int | None = 128,
    size: int | list[int] = 64,
    channels: Literal[1, 3] = 3,
    resize: Literal["crop", "squash"] = "crop",
) -> Dataset:
    """A Hugging Face dataset.

    Args:
        context: The shared settings; the split applies to what the dataset does not split itself.
        block_size: Tokens of a window, or the maximum of a labelled text.
        path: Name on the hub, folder or file.
        subset: Which of several configurations.
        kind: How to read the dataset.
        input: The column of the texts or images; of pairs, of the sources (`translation.en`).
        target: The column of the classes; of pairs, of the targets.
        max_length: Maximum number of tokens of either side of a pair.
        size, channels, resize: Of images, as for image_folder.
    """
    _check_used(kind, target, context)
    published, notes = load(path, subset, context.online)
    if kind == "text":
        name = column(published["train"], input, "data.input", ("text", "content", "sentence"))
        documents = running_text(published, name, context.split)
        distinct = {id(d): d for members in documents.values() for d in members}
        dataset = token_dataset("hf", documents, context, block_size, list(distinct.values()))
    elif kind == "pairs":
        pairs = published_pairs(published, input, target, context, notes)
        dataset = pair_dataset(f"hf {path}", pairs, context, max_length)
    elif kind == "labelled_text":
        dataset = labelled(published, input, target, context, block_size, notes)
    else:
        dataset = images(published, input, target, context, size, channels, resize)
    dataset.notes += notes
    return dataset


def _check_used(kind: str, target: str | None, context: DataContext) -> None:
    """Refuse settings that this kind of data does not use."""
    if kind == "text" and target is not None and context.encoding is None:
        raise UserError(
            f"data.target={target}: data.kind=text reads running text alone; give data.kind="
            f"labelled_text, pairs or images, or leave it out"
        )
    if kind != "images" and context.augment not in (None, Augment()):
        raise UserError(f"data.augment changes images; with data.kind={kind} leave it out")
    if kind != "images" and context.test_shift:
        raise UserError(f"data.test_shift moves images; with data.kind={kind} leave it out")
    if kind not in ("images", "labelled_text"):
        for name, value in (
            ("train_size", context.split.train_size),
            ("label_noise", context.label_noise),
        ):
            if value:
                raise UserError(
                    f"data.{name}={value} is for samples with a class; with data.kind={kind} "
                    f"leave it out"
                )


def running_text(published: Published, name: str, split: Split) -> dict[str, list[Document]]:
    """A document for each split; one that the dataset lacks is cut from the end of train.

    Raises:
        UserError: Cross-validation, or a column that holds no texts.
    """
    if split.folds is not None:
        raise UserError(f"data.folds={split.folds}: running text of data=hf cannot have folds")
    train, stop = published["train"], len(published["train"])
    texts(train.select(range(1)), name, "data.input")
    spans = {split_name: (rows, 0, len(rows)) for split_name, rows in published.items()}
    for split_name, fraction in (("test", split.test_fraction), ("val", split.val_fraction)):
        if split_name not in published:
            start = stop - max(1, round(fraction * len(train)))
            spans[split_name], stop = (train, start, stop), start
    if stop < 1:
        raise UserError(f"expected 3 rows or more to split, got {len(train)}")
    spans["train"] = (train, 0, stop)
    documents = {}
    for split_name in ("train", "val", "test"):
        read = partial(_lines, *spans[split_name], name)
        size = sum(byte_length(piece) for piece in read())
        documents[split_name] = [Document(split_name, size, read)]
    return documents


def _lines(rows: Rows, start: int, stop: int, name: str) -> Iterator[str]:
    for first in range(start, stop, BATCH):
        batch = rows.select(range(first, min(first + BATCH, stop)))
        lines = texts(batch, name, "data.input")
        yield "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def published_pairs(
    published: Published,
    source: str | None,
    target: str | None,
    context: DataContext,
    notes: list[str],
) -> dict[str, list[Pair]]:
    """Pairs by split; one that the dataset lacks is taken from train, folds from all; a note is
    added on those with an empty side, which are left out."""
    first = published["train"]
    source = column(first, source, "data.input", ("source", "src"))
    target = column(first, target, "data.target", ("target", "tgt"))
    rows = filled(published, {"data.input": source, "data.target": target}, notes)
    pairs = {split: [(a, b) for a, b in own.values()] for split, own in rows.items()}
    if context.split.folds is not None:  # which mix the dataset's own splits in
        return split_pairs([pair for own in pairs.values() for pair in own], context)
    if len(pairs) == 3:
        return {split: pairs[split] for split in ("train", "val", "test")}
    splits = split_pairs(pairs["train"], context)
    for split in ("val", "test"):
        if split in pairs:
            splits["train"] += splits[split]
            splits[split] = pairs[split]
    return splits


def labelled(
    published: Published,
    text: str | None,
    target: str | None,
    context: DataContext,
    block_size: int,
    notes: list[str],
) -> Dataset:
    """Texts and their classes; a note is added on rows without a text, which are left out."""
    first = published["train"]
    text = column(first, text, "data.input", ("text", "sentence", "content"))
    target = column(first, target, "data.target", ("label", "labels", "class"))
    rows = filled(published, {"data.input": text}, notes)
    numbers, names = classes(published, target, rows)
    labels = torch.tensor(numbers)
    all_texts = [found for own in rows.values() for (found,) in own.values()]
    index = context.indices(labels, **_fixed(rows), class_names=names)
    return labelled_text_dataset("hf", all_texts, labels, names, index, context, block_size)


def images(
    published: Published,
    image: str | None,
    target: str | None,
    context: DataContext,
    size: int | list[int],
    channels: int,
    resize: str,
) -> Dataset:
    """Images and their classes, decoded once.

    Raises:
        UserError: A broken image, or more pixels than fit into memory.
    """
    first = published["train"]
    image = column(first, image, "data.input", ("image", "img"))
    target = column(first, target, "data.target", ("label", "labels", "fine_label", "class"))
    labels, names = classes(published, target)
    places = [(split, row) for split, rows in published.items() for row in range(len(rows))]
    fixed = _fixed(published)
    if context.max_samples is not None:
        splits = context.indices(torch.tensor(labels), **fixed, class_names=names)
        kept, splits = renumbered(context.few(splits))
        places, labels = [places[i] for i in kept], [labels[i] for i in kept]
        fixed = {"fixed_val": splits["val"], "fixed_test": splits["test"]}
        context = context.settled
    encoding = context.fitted(ImageEncoding)
    height, width = encoding.size if encoding else parse_size(size)
    if encoding:
        channels, resize = encoding.channels, encoding.resize
    nbytes = channels * height * width * len(labels)
    if nbytes > MAX_BYTES:
        raise UserError(
            f"{len(labels):,} images of {height}x{width} take {nbytes / 1e9:.0f}"
            f" GB, more than the {MAX_BYTES / 1e9:.0f} GB that are held in memory; lower data.size"
        )
    form = (channels, (height, width), resize)
    levels = encoding.levels if encoding else None
    pixels, levels, notes = _decode_all(published, places, image, form, levels, not encoding)
    dataset = image_dataset(
        pixels, torch.tensor(labels), names, context, **fixed, resize=resize, levels=levels
    )  # fmt: skip
    dataset.notes += [f"classes: {counted([names[label] for label in labels])}", *notes]
    return dataset


def _decode_all(
    published: Published,
    places: list[tuple[str, int]],
    name: str,
    form: tuple[int, tuple[int, int], str],
    levels: Levels | None,
    is_new: bool,
) -> tuple[Tensor, Levels | None, list[str]]:
    """All images, uint8 (N, C, H, W); the levels of a new run, and notes.

    Args:
        published: Rows by split.
        places: Split and row of each.
        name: The column of the images.
        form: Channels, height and width, way to resize.
        levels: Of the run that is evaluated.
        is_new: Whether levels are to be fitted.
    """
    channels, (height, width), _ = form
    pixels = torch.zeros(len(places), channels, height, width, dtype=torch.uint8)
    facts: dict[int, Facts] = {}
    with Progress("decoding images", len(places), "images") as progress:
        for number, (split, row) in enumerate(places):
            pixels[number], facts[number] = _decode(published, split, row, name, form, levels)
            progress.update(1)
    if is_new:
        levels = levels_of(found.values for found in facts.values() if found.values)
        for number in (n for n, found in facts.items() if found.values):
            pixels[number] = _decode(published, *places[number], name, form, levels)[0]
    names = [f"row {row} of {split}" for split, row in places]
    notes = note_facts(names, facts, levels)
    return pixels, levels, notes + note_one_coloured(names, one_coloured(pixels), len(pixels))


def _decode(
    published: Published,
    split: str,
    row: int,
    name: str,
    form: tuple[int, tuple[int, int], str],
    levels: Levels | None,
) -> tuple[Tensor, Facts]:
    try:
        image = values(published[split].select(range(row, row + 1)), name)[0]
        return convert_and_look(image, *form, levels)
    except Exception as error:  # Pillow's decoders raise nearly every type
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BrokenImage(f"data.input: '{name}', row {row} of {split}", reason) from None


def _fixed(published: Mapping[str, Sized]) -> dict[str, Tensor | None]:
    """Indices of the dataset's own val and test splits, counted over all rows."""
    fixed: dict[str, Tensor | None] = {"fixed_val": None, "fixed_test": None}
    start = 0
    for split, rows in published.items():
        if split != "train":
            fixed[f"fixed_{split}"] = torch.arange(start, start + len(rows))
        start += len(rows)
    return fixed
