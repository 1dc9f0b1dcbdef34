"""The source code of the Python standard library that runs this program: 9 MB, no download.

Without its tests, IDLE and 2to3, and without tables (encodings, pydoc topics). Split by file, so
that no validation or test text is in the training text. It differs from one Python version to the
next: the version is noted and the SHA-256 recorded, and results compare within a version only.
"""

import os
import platform
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.splits import split_items
from zoo.data.text.document import Document
from zoo.data.text.windows import token_dataset
from zoo.errors import UserError
from zoo.registry import DATASETS

LEFT_OUT = {
    "site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "encodings",
    "pydoc_data", "__pycache__", "idle_test",
}  # fmt: skip


@DATASETS.register("stdlib", uses=("root", "tokenizer"), tiny={"block_size": 32})
def stdlib(context: DataContext, block_size: int) -> Dataset:
    """Python source, one document per file."""
    return library_dataset("stdlib", sources(), context, block_size)


def library_dataset(
    name: str,
    texts: Iterable[tuple[str, str]],
    context: DataContext,
    block_size: int,
    next_sentence: bool = False,
    denoising: bool = False,
    train_texts: Iterable[tuple[str, str]] = (),
) -> Dataset:
    """A dataset of windows of named texts from the standard library, split by document; those of
    `train_texts` (`torch/nn/init.py`) are all in the training split."""
    documents = [Document.of(document_name, text) for document_name, text in texts]
    more = [Document.of(path, text, origin=path.split("/")[0]) for path, text in train_texts]
    splits = split_items(documents, context.split)
    splits["train"] = [*splits["train"], *more]
    documents += more
    dataset = token_dataset(name, splits, context, block_size, documents, next_sentence, denoising)
    dataset.notes.append(version_note())
    return dataset


def version_note() -> str:
    """Which standard library it is; its texts differ from one version of Python to the next."""
    return f"standard library of Python {platform.python_version()}"


def sources() -> Iterator[tuple[str, str]]:
    """Names (paths below the library's folder) and texts of the library's files, sorted.

    Raises:
        UserError: This Python has no sources, as the embeddable build for Windows.
    """
    folder = Path(sysconfig.get_paths()["stdlib"])
    count = 0
    for name, source in python_files(folder):
        count += 1
        yield name, source
    if count < 100:
        raise UserError(
            f"{folder} holds no sources of the standard library (an embeddable Python?); use other "
            "text: data=text data.path=<file or folder>"
        )


def python_files(folder: Path) -> Iterator[tuple[str, str]]:
    """Names (paths below the folder) and texts of Python files, sorted; without tests."""
    for path in sorted(_files(folder), key=lambda path: path.parts):
        name = "/".join(path.parts)
        yield name, (folder / path).read_text(encoding="utf-8", errors="replace")


def _files(folder: Path) -> Iterator[Path]:
    """Python files, relative to the folder; folders left out are not entered."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        yield from (Path(parent, f).relative_to(folder) for f in files if f.endswith(".py"))
