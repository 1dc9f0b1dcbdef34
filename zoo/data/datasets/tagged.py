"""The user's own sentences with a tag for each word: JSON Lines, or columns as of CoNLL.

JSON Lines: `{"words": ["Anna", "lives", "here"], "tags": ["B-PER", "O", "O"]}`, null for a tag that
is not known. Columns: a word a line, its tag in another column, an empty line after a sentence
(Tjong Kim Sang and De Meulder, 2003, https://aclanthology.org/W03-0419; also CoNLL-U).
"""

import re
from collections.abc import Iterator
from typing import Any

from zoo.data.charset import read_text
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.splits import split_items
from zoo.data.text.json_rows import read_rows, unread
from zoo.data.text.tagged import Sentence, tagged_dataset
from zoo.data.text.tagged_encoding import cut_of
from zoo.errors import UserError, unknown_name
from zoo.files import user_path
from zoo.phrases import plural
from zoo.registry import DATASETS

DOCUMENT = "-DOCSTART-"  # the first word of a line that separates documents
CONLL_U = 10  # columns; words of several tokens are numbered as 3-4, words left out as 5.1
_JSON = re.compile(r'\s*[\[{]\s*["\[{\]}]')  # a column of words may begin with a bracket too
FORM, UPOS = 2, 4  # of them: the word, and its part of speech


@DATASETS.register("tagged", uses=("tokenizer", "labels"), needs="files", tiny={"block_size": 32})
def tagged(
    context: DataContext,
    block_size: int,
    path: str | None = None,
    words: str | int | None = None,
    tags: str | int | None = None,
) -> Dataset:
    """Sentences of a file, split by sentence.

    Args:
        context: The shared settings.
        block_size: Maximum number of tokens of a sentence; longer ones are cut into several.
        path: The file.
        words, tags: Their keys in JSON Lines, or the numbers of their columns, from 1; None:
            "words" and "tags"; the first and the last column, of CoNLL-U the words and their
            parts of speech (2 and 4).

    Raises:
        UserError: No such file, or one that is not understood; the message has the line.
    """
    if path is None:
        raise UserError(
            "data.path is missing: JSON Lines with words and tags, or columns as of CoNLL; e.g. "
            "data.path=names.jsonl"
        )
    text, notes = read_text(user_path(path))
    if _JSON.match(text):
        sentences = list(_of_json(text, path, str(words or "words"), str(tags or "tags"), notes))
    else:
        sentences = list(_of_columns(text, path, words, tags))
    if not sentences:
        raise UserError(f"{path}: no sentence; expected words and their tags")
    splits = split_items(sentences, context.whole.split, allow_empty=not context.is_new)
    cut = cut_of(word for sentence in sentences for word in sentence.words)
    dataset = tagged_dataset("tagged", splits, context, block_size, cut)
    if cut != "spaces" and context.is_new:
        notes.append("each character is a word, in texts to predict too")
    dataset.notes.extend(notes)
    return dataset


def _of_json(text: str, path: str, words: str, tags: str, notes: list[str]) -> Iterator[Sentence]:
    """The sentences of a file; a note is added on what is not read of it."""
    rows = read_rows(text, path)
    for where, row in rows:
        if not isinstance(row, dict):
            kind = type(row).__name__
            raise UserError(f'{where}: a {kind}; expected {{"words": [...], "tags": [...]}}')
        for option, name in (("words", words), ("tags", tags)):
            if name not in row:
                raise UserError(f"data.{option}: {where}: {unknown_name('key', name, row)}")
            if not isinstance(row[name], list):
                kind = type(row[name]).__name__
                raise UserError(f"{where}: '{name}' is a {kind}, expected a list")
        yield from _sentence(row[words], row[tags], where)
    notes += unread(rows, {words, tags})


def _sentence(words: list[Any], tags: list[Any], where: str) -> Iterator[Sentence]:
    """Of one line of JSON; none of an empty one."""
    if len(words) != len(tags):
        found = f"{plural(len(words), 'word')} and {plural(len(tags), 'tag')}"
        raise UserError(f"{where}: {found}; expected one for each")
    for word in words:
        if not isinstance(word, str) or len(word.split()) != 1:
            raise UserError(f"{where}: the word {word!r}; expected a text without spaces")
    for tag in tags:
        if isinstance(tag, bool) or not (tag is None or isinstance(tag, str | int)) or tag == "":
            raise UserError(f"{where}: the tag {tag!r}; expected a text, a whole number or null")
    if words:
        names = (None if tag is None else str(tag) for tag in tags)
        yield Sentence(tuple(word.strip() for word in words), tuple(names))


def _of_columns(
    text: str, path: str, words: str | int | None, tags: str | int | None
) -> Iterator[Sentence]:
    lines = re.split("\r\n|[\r\n]", text)  # a word may be another sign that ends lines elsewhere
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    is_universal = first.count("\t") == CONLL_U - 1  # elsewhere # is a word
    usual = (FORM, UPOS) if is_universal else (1, None)
    places = _column("words", words, usual[0]), _column("tags", tags, usual[1])
    block: list[tuple[str, str]] = []
    width = 0  # columns of the first word
    for number, line in enumerate([*lines, ""], start=1):
        cells = [cell.strip() for cell in line.split("\t")] if "\t" in line else line.split()
        if not line.strip() or cells[0] == DOCUMENT:
            yield from _block(block)
            block = []
        elif not (is_universal and (line.startswith("#") or _is_extra(cells))):
            width = width or len(cells)
            block.append(_word(cells, width, places, f"{path}:{number}"))


def _column(option: str, given: str | int | None, default: int | None) -> int | None:
    """The number of a column, from 1; None for the last."""
    if given is None:
        return default
    if not str(given).isdecimal() or int(given) < 1:
        raise UserError(f"data.{option}={given}: the file has columns; expected a number from 1")
    return int(given)


def _is_extra(cells: list[str]) -> bool:
    """Whether a line of CoNLL-U is no word: `3-4` stands above words 3 and 4, `5.1` is left out."""
    return not cells[0].isdecimal() and cells[0][:1].isdecimal()


def _word(
    cells: list[str], width: int, places: tuple[int | None, int | None], where: str
) -> tuple[str, str]:
    """Word and tag of a line."""
    if len(cells) < 2:
        raise UserError(
            f"{where}: one column, '{cells[0][:40]}'; expected a word and its tag, or JSON: "
            f'{{"words": [...], "tags": [...]}}'
        )
    if len(cells) != width:
        raise UserError(f"{where}: {plural(len(cells), 'column')}, but the first word has {width}")
    for option, place in zip(("words", "tags"), places, strict=True):
        if place is not None and place > width:
            raise UserError(f"data.{option}={place}: {where} has {plural(width, 'column')}")
    word, tag = (cells[-1 if place is None else place - 1] for place in places)
    if not tag or len(word.split()) != 1:
        raise UserError(f"{where}: the word '{word}' with the tag '{tag}'; expected one of each")
    return word, tag


def _block(block: list[tuple[str, str]]) -> Iterator[Sentence]:
    if block:
        words, tags = zip(*block, strict=True)
        yield Sentence(words, tags)
