"""Which part of the Python standard library does this docstring or comment belong to?

Some 8,000 texts of eight words or more, in ten classes, after the chapters of the Library
Reference that document their modules. Modules that fit no chapter well, or that are gone from
newer Pythons altogether (distutils, lib2to3), are left out. The name of a text's own module is
replaced by `_`, since it would often reveal the answer; and no two texts have the same words.

The split is by text, not by file: the question is where in a known library a new text belongs, and
many chapters consist of a few large modules, which a split by file would put entirely into training
or test. Other docstrings of a test text's module are thus in the training split. For modules that
are not, the question is much harder: the accuracy of a linear model falls from about 0.72 to 0.45.
"""

import functools
import re
from collections.abc import Iterator

import torch

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.datasets.pydoc import paragraphs
from zoo.data.datasets.stdlib import sources, version_note
from zoo.data.text.labelled import labelled_text_dataset
from zoo.errors import UserError
from zoo.registry import DATASETS

WORD = re.compile(r"[^\W\d_]{2,}")
MIN_WORDS = 8  # of a text
TOPICS = {
    "concurrency": """_threading_local asyncio concurrent contextvars multiprocessing queue sched
        selectors signal subprocess threading""",
    "data": """_collections_abc _pydecimal _strptime _weakrefset bisect calendar collections
        colorsys copy copyreg dataclasses datetime decimal enum fractions functools graphlib heapq
        numbers operator pprint random reprlib statistics types uuid weakref zoneinfo""",
    "email": """base64 email imaplib mailbox mimetypes poplib quopri smtplib""",
    "files": """_compression _pyio bz2 configparser csv dbm filecmp fileinput fnmatch genericpath
        glob gzip io linecache lzma netrc nturl2path ntpath os pathlib pickle plistlib posixpath
        shelve shutil sqlite3 stat tarfile tempfile tomllib zipfile""",
    "graphics": "curses tkinter turtle turtledemo",
    "internet": """ftplib http ipaddress socket socketserver ssl urllib webbrowser wsgiref
        xmlrpc""",
    "language": """abc ast code codeop compileall contextlib dis importlib inspect keyword
        modulefinder opcode pickletools pkgutil py_compile pyclbr runpy symtable sysconfig tabnanny
        token tokenize typing zipimport""",
    "markup": "_markupbase html xml",
    "testing": """bdb cProfile doctest logging pdb profile pstats pydoc timeit trace traceback
        tracemalloc unittest warnings""",
    "text": """argparse cmd codecs difflib gettext getopt locale optparse re shlex string
        stringprep textwrap""",
}
CLASSES = sorted(TOPICS)


@DATASETS.register("pydoc_topics", uses=("tokenizer", "labels"), tiny={"block_size": 32})
def pydoc_topics(
    context: DataContext,
    block_size: int,
    labelled: int | None = None,
) -> Dataset:
    """Docstrings and comments, each with the topic of its module.

    Args:
        context: The shared settings.
        block_size: Maximum number of tokens of a text; the rest is cut off.
        labelled: Train on only this many texts, drawn whatever their classes (`data.train_size`
            draws of each class); None for all.

    Raises:
        UserError: More than there are, or none.
    """
    texts, names = zip(*topics(), strict=True)
    labels = torch.tensor([CLASSES.index(name) for name in names])
    index = context.indices(labels, class_names=CLASSES)
    if labelled is not None:
        train = index["train"]
        if not 0 < labelled <= len(train):
            raise UserError(f"data.labelled={labelled}: expected 1 to {len(train)}, or null")
        generator = torch.Generator().manual_seed(context.split.split_seed)
        chosen = torch.randperm(len(train), generator=generator)[:labelled]
        index = index | {"train": train[chosen].sort().values}
    dataset = labelled_text_dataset(
        "pydoc_topics", texts, labels, CLASSES, index, context, block_size
    )
    dataset.notes.append(version_note())
    return dataset


@functools.cache
def topics() -> list[tuple[str, str]]:
    """Texts with their topics; of texts with the same words, the first."""
    return list(_topics())


def _topics() -> Iterator[tuple[str, str]]:
    chapters = {module: topic for topic, names in TOPICS.items() for module in names.split()}
    seen = set()
    for name, source in sources():
        module = name.split("/")[0].removesuffix(".py")
        if module not in chapters:
            continue
        own_name = re.compile(rf"(?<![^\W_]){re.escape(module)}(?![^\W_])", re.IGNORECASE)
        for text in paragraphs(source):
            text = own_name.sub("_", text).strip()
            words = tuple(WORD.findall(text.lower()))
            if len(words) >= MIN_WORDS and words not in seen:
                seen.add(words)
                yield text, chapters[module]
