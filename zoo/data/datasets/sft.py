"""The user's own prompts and responses: a JSON object a line."""

import json
from pathlib import Path
from typing import Any

import torch

from zoo.data.dataset import Dataset
from zoo.data.paths import not_found
from zoo.data.splits import Split
from zoo.data.text.encoding import TextForm
from zoo.data.text.files import first_byte, pieces
from zoo.data.text.prompts import Pair, sft_dataset
from zoo.errors import UserError, unknown_name
from zoo.registry import DATASETS


@DATASETS.register("sft", needs="files", tiny=dict(block_size=32))
def sft(
    split: Split,
    form: TextForm,
    block_size: int,
    encoding: dict[str, Any] | None = None,
    path: str | None = None,
    prompt: str = "prompt",
    response: str = "response",
    template: str = "{prompt}\n",
) -> Dataset:
    """Lines of a JSONL file, UTF-8.

    Args:
        split: How to deal the lines.
        form: Which tokenizer.
        block_size: The most tokens of prompt and response together; longer ones are left out.
        encoding: JSON of a run's encoding, to be used in place of fitting one.
        path: The file.
        prompt, response: Names of the two in each line.
        template: What stands around a prompt, as `Question: {prompt}\\nAnswer:`.
    """
    if path is None:
        raise UserError("data.path is missing: a JSONL file; e.g. data.path=answers.jsonl")
    found = read_pairs(Path(path).expanduser(), prompt, response)
    fresh = encoding is None
    index = split.indices(torch.zeros(len(found), dtype=torch.int64), allow_empty=not fresh)
    pairs = {name: [found[i] for i in part.tolist()] for name, part in index.items()}
    if not fresh:
        pairs["all"] = found
    return sft_dataset("sft", pairs, form, block_size, template, encoding, (prompt, response))


def read_pairs(path: Path, prompt: str, response: str) -> list[Pair]:
    """Prompts and responses of a file.

    Raises:
        UserError: No such file, a line that is no object of two texts, no line at all.
    """
    if not path.is_file():
        raise not_found(path)
    found = []
    text = "".join(pieces(path, first_byte(path)))
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UserError(f"{path}:{number}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise UserError(f"{path}:{number}: expected an object, got a {type(row).__name__}")
        for option, name in (("prompt", prompt), ("response", response)):
            if name not in row:
                raise UserError(f"data.{option}: {path}:{number}: {unknown_name('key', name, row)}")
            if not isinstance(row[name], str):
                kind = type(row[name]).__name__
                raise UserError(f"{path}:{number}: '{name}' is a {kind}, expected a text")
        if not row[response].strip():
            raise UserError(f"{path}:{number}: '{response}' is empty")
        found.append((row[prompt], row[response]))
    if not found:
        raise UserError(f"{path}: the file is empty; expected a JSON object a line")
    return found
