"""The source code of the Python standard library that runs this program: 9 MB, always at hand.

Without its tests, IDLE and 2to3, and without tables (encodings, pydoc topics). Split by file, so
that validation and test text is never seen in training. It differs from one Python version to the
next: the version is noted and the SHA-256 recorded, and figures compare within a version only.
"""

import os
import platform
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.data.dataset import Dataset
from zoo.data.deal import deal
from zoo.data.splits import Split
from zoo.data.text.document import Document
from zoo.data.text.encoding import TextForm
from zoo.data.text.windows import token_dataset
from zoo.errors import UserError
from zoo.registry import DATASETS

LEFT_OUT = {
    "site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "encodings",
    "pydoc_data", "__pycache__", "idle_test",
}  # fmt: skip


@DATASETS.register("stdlib", tiny=dict(block_size=32))
def stdlib(
    split: Split,
    form: TextForm,
    block_size: int,
    encoding: dict[str, Any] | None = None,
    root: str = "data",
) -> Dataset:
    """Python source, one document a file."""
    documents = [Document.of(name, text) for name, text in sources()]
    dealt = deal(documents, split)
    dataset = token_dataset("stdlib", dealt, form, block_size, root, encoding, documents)
    dataset.notes.append(f"standard library of Python {platform.python_version()}")
    return dataset


def sources() -> Iterator[tuple[str, str]]:
    """Names (paths below the library's folder) and texts of the library's files, sorted.

    Raises:
        UserError: This Python has no sources, as the embeddable build for Windows.
    """
    folder = Path(sysconfig.get_paths()["stdlib"])
    found = 0
    for path in sorted(_files(folder), key=lambda path: path.parts):
        found += 1
        name = "/".join(path.parts)
        yield name, (folder / path).read_text(encoding="utf-8", errors="replace")
    if found < 100:
        raise UserError(
            f"{folder} holds no sources of the standard library (an embeddable Python?); train on "
            "other text: data=text data.path=<file or folder>"
        )


def _files(folder: Path) -> Iterator[Path]:
    """Python files, relative to the folder; folders left out are not entered."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        yield from (Path(place, name).relative_to(folder) for name in files if name.endswith(".py"))
