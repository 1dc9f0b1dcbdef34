"""The user's own prompts and responses: a file of JSON objects, one per line or in one list."""

import json
from collections.abc import Iterator
from typing import Any

from zoo.data.charset import read_text
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.text.prompts import Pair, prompt_dataset
from zoo.data.tokenizers.base import replace_halves
from zoo.errors import UserError, unknown_name
from zoo.files import user_path
from zoo.registry import DATASETS


@DATASETS.register("sft", uses=("tokenizer",), needs="files", tiny={"block_size": 32})
def sft(
    context: DataContext,
    block_size: int,
    path: str | None = None,
    prompt: str = "prompt",
    response: str = "response",
    template: str = "{prompt}\n",
) -> Dataset:
    """Lines of a JSONL file, or the entries of a JSON list.

    Args:
        context: The shared settings.
        block_size: Maximum number of tokens of prompt and response together; longer ones are left
            out.
        path: The file.
        prompt, response: Names of the two in each line.
        template: The text around a prompt, such as `Question: {prompt}\\nAnswer:`.
    """
    if path is None:
        raise UserError("data.path is missing: a JSONL file; e.g. data.path=answers.jsonl")
    text, notes = read_text(user_path(path))
    pairs, mended = mend_halves(read_pairs(text, path, prompt, response))
    dataset = prompt_dataset("sft", pairs, context, block_size, template, (prompt, response))
    dataset.notes.extend(notes + mended)
    return dataset


def mend_halves(pairs: list[Pair]) -> tuple[list[Pair], list[str]]:
    """The pairs with U+FFFD for halves of characters, which JSON can hold, and a note on those."""
    mended = [(replace_halves(prompt), replace_halves(response)) for prompt, response in pairs]
    changed = [number for number, pair in enumerate(pairs) if pair != mended[number]]
    if not changed:
        return pairs, []
    first = ascii(next(text for text in pairs[changed[0]] if text != replace_halves(text)))
    shown = first if len(first) <= 60 else f"{first[:40]} ..."
    note = f"{len(changed):,} of {len(pairs):,} pairs hold half a character, an emoji cut in two"
    return mended, [f"{note}; it is read as \ufffd. The first: {shown}"]


def read_pairs(text: str, path: str, prompt: str, response: str) -> list[Pair]:
    """Prompts and responses of a file.

    Args:
        text: Its content.
        path: Its name, for messages.
        prompt, response: Names of the two in each line.

    Raises:
        UserError: A line that is not an object of two texts, an empty file.
    """
    pairs = []
    for where, row in _entries(text, path):
        if not isinstance(row, dict):
            raise UserError(f"{where}: expected an object, got a {type(row).__name__}")
        for option, name in (("prompt", prompt), ("response", response)):
            if name not in row:
                raise UserError(f"data.{option}: {where}: {unknown_name('key', name, row)}")
            if not isinstance(row[name], str):
                kind = type(row[name]).__name__
                raise UserError(f"{where}: '{name}' is a {kind}, expected a text")
        if not row[response].strip():
            raise UserError(f"{where}: '{response}' is empty")
        pairs.append((row[prompt], row[response]))
    if not pairs:
        raise UserError(f"{path}: the file is empty; expected one JSON object per line")
    return pairs


def _entries(text: str, path: str) -> Iterator[tuple[str, Any]]:
    """Each JSON value, and where it stands."""
    if text.lstrip().startswith("["):
        try:
            entries = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}: not JSON: {error}") from None
        yield from ((f"{path}, entry {n}", entry) for n, entry in enumerate(entries, start=1))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield f"{path}:{number}", json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}:{number}: not JSON: {error}") from None
