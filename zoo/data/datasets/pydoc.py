"""Prose of the Python standard library: docstrings, comments, the language reference.

Prose about programming, some 450 thousand words, with no download: the docstrings and comments of
each file of `stdlib`, in their order, and the topics of `help()`. Left out are commented-out code,
licences, rulers, and paragraphs that an earlier document has already, so that no paragraph of
validation or test text is in the training text. One document per file or topic, split by document.
It differs from one Python version to the next: the version is noted and the SHA-256 recorded.

A large model needs more text. `packages` adds the docstrings and comments of installed packages to
the training split (torch alone has three times as many words); validation and test text stay the
same.
"""

import ast
import importlib
import inspect
import re
import warnings
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.datasets.stdlib import library_dataset, python_files, sources
from zoo.errors import UserError, closest_match
from zoo.registry import DATASETS

# Strings and comments; ten times faster than `tokenize` and `ast`, with nearly the same result.
LEXEME = re.compile(
    r"""
      \#[^\n]*
    | (?P<prefix>\b[rRuUbBfF]{1,2})?
      (?: \"\"\"(?:[^"\\]|\\.|"(?!""))*\"\"\" | '''(?:[^'\\]|\\.|'(?!''))*'''
        | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
    """,
    re.VERBOSE | re.DOTALL,
)
NOISE = re.compile(r"#!|#\s*type:|#.*(coding[:=]|copyright|licen[cs]e|\bnoqa|pragma|pylint)", re.I)
CODE = re.compile(r"[=(\[@]|^\s*(import|from|return|del|raise|pass|print|assert)\b", re.M)
REPEAT = 60  # characters from which a paragraph counts as repeated; shorter ones are phrases


@DATASETS.register("pydoc", uses=("root", "tokenizer"), tiny={"block_size": 32})
def pydoc(
    context: DataContext,
    block_size: int,
    next_sentence: bool = False,
    denoising: bool = False,
    packages: list[str] | None = None,
) -> Dataset:
    """English prose, one document per file or topic.

    Args:
        context: The shared settings.
        block_size: Tokens in a window.
        next_sentence: Whether samples are pairs of passages, for BERT.
        denoising: Whether tokens are reserved for a task that reconstructs windows.
        packages: Installed packages whose prose is training text too, as `import` names them.

    Raises:
        UserError: A package that is not installed, or has no prose.
    """
    seen: set[str] = set()
    texts = list(prose(_everything(), seen))
    names = list(dict.fromkeys(packages or ()))
    more = [text for name in names for text in _prose_of(name, seen)]
    dataset = library_dataset("pydoc", texts, context, block_size, next_sentence, denoising, more)
    dataset.notes += [f"training text of {_version(name)}" for name in names]
    return dataset


def prose(texts: Iterable[tuple[str, str]], seen: set[str]) -> Iterator[tuple[str, str]]:
    """Names (`json/decoder.py`, `topics/lambda`) and texts, paragraphs separated by empty lines;
    without those that are in `seen`, which grows."""
    for name, text in texts:
        new = []
        for paragraph in text.split("\n\n"):
            plain = " ".join(paragraph.split())
            if len(plain) < REPEAT or plain not in seen:
                new.append(paragraph)
            seen.add(plain)
        if prose_text := "\n\n".join(paragraph for paragraph in new if paragraph.strip()):
            yield name, prose_text + "\n"


def _everything() -> Iterator[tuple[str, str]]:
    for name, source in sources():
        yield name, "\n\n".join(paragraphs(source))
    try:
        topics = importlib.import_module("pydoc_data.topics").topics
    except ImportError:  # some builds do not have it
        return
    for name in sorted(topics):
        yield f"topics/{name}", topics[name].strip()


def _prose_of(package: str, seen: set[str]) -> list[tuple[str, str]]:
    """The prose of an installed package; names as `torch/nn/init.py`."""
    found = find_spec(package) if package.isidentifier() else None
    folders = (found and found.submodule_search_locations) or []
    files = ((f"{package}/{name}", text) for f in folders for name, text in python_files(Path(f)))
    texts = ((name, "\n\n".join(paragraphs(text))) for name, text in files)
    if not (kept := list(prose(texts, seen))):
        guess = closest_match(package, packages_distributions())
        hint = f"did you mean '{guess}'?" if guess else "see `pip list`"
        raise UserError(
            f"data.packages: no installed package '{package}' that has docstrings; expected a name "
            f"as `import` takes it; {hint}"
        )
    return kept


def _version(package: str) -> str:
    """`torch 2.13.0`, where it is known."""
    return " ".join([package, *(version(d) for d in packages_distributions().get(package, [])[:1])])


def paragraphs(source: str) -> Iterator[str]:
    """Docstrings and comments of a Python file, in order, without quotes and hashes."""
    block: list[str] = []  # comment lines that follow one another
    before, end = "", 0  # the last character of code so far, the end of the last lexeme
    for match in LEXEME.finditer(source):
        gap, lexeme = source[end : match.start()], match[0]
        code = gap.strip()
        before, end = code[-1:] or before, match.end()
        if block and (code or gap.count("\n") != 1 or lexeme[0] != "#"):
            yield from _comment(block)
            block = []
        if lexeme[0] == "#":
            block.append(lexeme)
        else:
            is_statement = not source[
                source.rfind("\n", 0, match.start()) + 1 : match.start()
            ].strip()
            if (
                is_statement
                and before in ("", ":")
                and source[end : end + 1] in ("", "\n", " ", "\r")
            ):
                yield _docstring(lexeme, match["prefix"] or "")
            before = '"'
    yield from _comment(block)


def _docstring(literal: str, prefix: str) -> str:
    quotes = 3 if literal[len(prefix) :][:3] in ('"""', "'''") else 1
    text = literal[len(prefix) + quotes : -quotes]
    if "\\" in text and "r" not in prefix.lower():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes
            text = str(ast.literal_eval(literal))
    return inspect.cleandoc(text)


def _comment(block: list[str]) -> Iterator[str]:
    """A block of comment lines as text, if it is prose: three words, no code, no licence."""
    if not block or any(NOISE.match(line) for line in block):
        return
    lines = [line.lstrip("#:").rstrip().removeprefix(" ") for line in block]
    text = "\n".join(line if re.search(r"\w", line) else "" for line in lines).strip("\n")
    if len(re.findall(r"[^\W\d_]{2,}", text)) > 2 and not _is_code(text):
        yield text


def _is_code(text: str) -> bool:
    """Whether a comment is commented-out Python."""
    if not CODE.search(text):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(inspect.cleandoc(text))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True
