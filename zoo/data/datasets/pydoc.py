"""Prose of the Python standard library: docstrings, comments, the language reference.

Prose about programming, some 450 thousand words, with no download: the docstrings and comments of
each file of `stdlib`, in their order, and the topics of `help()`. Left out are commented-out code,
licences, rulers, and paragraphs that an earlier document has already, so that no paragraph of
validation or test text is in the training text. One document per file or topic, split by document.
It differs from one Python version to the next: the version is noted and the SHA-256 recorded.
"""

import ast
import importlib
import inspect
import re
import warnings
from collections.abc import Iterator

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.datasets.stdlib import library_dataset, sources
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
    context: DataContext, block_size: int, next_sentence: bool = False, denoising: bool = False
) -> Dataset:
    """English prose, one document per file or topic; pairs of passages for BERT."""
    return library_dataset("pydoc", prose(), context, block_size, next_sentence, denoising)


def prose() -> Iterator[tuple[str, str]]:
    """Names (`json/decoder.py`, `topics/lambda`) and texts, paragraphs separated by empty lines."""
    seen: set[str] = set()
    for name, text in _everything():
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
