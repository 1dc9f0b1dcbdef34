"""The user's own preferences: a file of JSON objects, each a prompt with a better and a worse
answer."""

from collections.abc import Mapping
from typing import Any

from zoo.data.charset import read_text
from zoo.data.chat.messages import CONTENT, ROLE, Message, check_message, check_messages, exchange
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.splits import split_items
from zoo.data.text.json_rows import read_rows
from zoo.data.text.preferences import Preference, preference_dataset
from zoo.data.text.turns import flatten
from zoo.data.text.verifiers import VERIFIERS
from zoo.data.tokenizers.base import replace_halves
from zoo.errors import UserError, unknown_name
from zoo.files import user_path
from zoo.registry import DATASETS

SPLITS = ("train", "val", "test")
Columns = tuple[str, str, str]


@DATASETS.register("preferences", uses=("tokenizer",), needs="files", tiny={"block_size": 32})
def preferences(
    context: DataContext,
    block_size: int,
    path: str | None = None,
    prompt: str = "prompt",
    chosen: str = "chosen",
    rejected: str = "rejected",
    split_column: str | None = None,
    template: str = "{prompt}\n",
    verifier: str | None = None,
) -> Dataset:
    """Lines of a JSONL file, or the entries of a JSON list.

    Args:
        context: The shared settings.
        block_size: Maximum number of tokens of a prompt with an answer; longer ones are left out.
        path: The file.
        prompt, chosen, rejected: Names of the three in each line: texts, or lists of messages.
        split_column: Name of the column that says train, val or test; null to split at random.
        template: The text around a prompt, and around what the user says in messages.
        verifier: What checks an answer: python, sums; null for nothing.
    """
    if path is None:
        raise UserError("data.path is missing: a JSONL file; e.g. data.path=pairs.jsonl")
    if verifier is not None and verifier not in VERIFIERS:
        raise UserError(f"data.verifier: {unknown_name('verifier', verifier, VERIFIERS)}")
    columns = (prompt, chosen, rejected)
    text, notes = read_text(user_path(path))
    rows, parts = [], []
    for where, row in read_rows(text, path):
        rows.append(read_row(row, where, columns, template))
        parts.append(_part(row, where, split_column) if split_column else "")
    splits = _by_split(rows, parts, path) if split_column else split_items(
        rows, context.split, allow_empty=not context.is_new
    )  # fmt: skip
    if not context.is_new:
        splits["all"] = rows
    dataset = preference_dataset(
        "preferences", splits, context, block_size, template, columns, verifier
    )
    dataset.notes.extend(notes)
    return dataset


def read_row(row: Any, where: str, columns: Columns, template: str) -> Preference:
    """A line of the file.

    Args:
        row: Its JSON.
        where: It stands, for messages.
        columns: Names of prompt, chosen and rejected answer.
        template: The text around a prompt.

    Raises:
        UserError: Something is missing, of another kind, or empty; two equal answers.
    """
    if not isinstance(row, dict):
        raise UserError(f"{where}: expected an object, got a {type(row).__name__}")
    for option, name in zip(("chosen", "rejected"), columns[1:], strict=True):
        if name not in row:
            raise UserError(f"data.{option}: {where}: {unknown_name('key', name, row)}")
    (before, chosen), (also_before, rejected) = (
        _answer(row[name], f"{where}, '{name}'") for name in columns[1:]
    )
    if before != also_before:
        raise UserError(
            f"{where}: '{columns[1]}' and '{columns[2]}' do not answer the same messages"
        )
    if not chosen.strip():
        raise UserError(f"{where}: '{columns[1]}' is empty")
    if chosen == rejected:
        raise UserError(
            f"{where}: '{columns[1]}' and '{columns[2]}' are equal; expected a better and a worse "
            f"answer"
        )
    asked = _prompt(row, where, columns[0], before, template)
    return Preference(*map(replace_halves, (asked, chosen, rejected)))


def _answer(value: Any, where: str) -> tuple[list[Message], str]:
    """An answer, and the messages before it, where it is the last of some."""
    before: list[Message] = []
    if not isinstance(value, str):
        is_alone = isinstance(value, list) and len(value) == 1
        asked = exchange("", "")[:1] if is_alone else []  # by the prompt, which stands elsewhere
        *before, last = (
            [check_message(value[0], where, asked)] if is_alone else check_messages(value, where)
        )
        if last[ROLE] != "assistant":
            raise UserError(
                f"{where}: the last message is the {last[ROLE]}'s, expected the assistant's"
            )
        value = last[CONTENT]
    return before, value


def _prompt(
    row: Mapping[str, Any], where: str, name: str, before: list[Message], template: str
) -> str:
    """The text after which the answers are written."""
    if name not in row and not before:
        raise UserError(f"data.prompt: {where}: {unknown_name('key', name, row)}")
    value = row.get(name, [])
    if isinstance(value, str):
        messages = exchange(value, "")[:1]
        if before and before[-1:] != messages:
            raise UserError(f"{where}: '{name}' is another text than the message that is answered")
        messages = before or messages
    else:
        messages = (check_messages(value, f"{where}, '{name}'") if value else []) + before
    return flatten(messages, template, where)


def _part(row: Any, where: str, name: str) -> str:
    if name not in row:
        raise UserError(f"data.split_column: {where}: {unknown_name('key', name, row)}")
    if row[name] not in SPLITS:
        raise UserError(f"{where}: '{name}' is {row[name]!r}, expected one of {', '.join(SPLITS)}")
    return row[name]


def _by_split(rows: list[Preference], parts: list[str], path: str) -> dict[str, list[Preference]]:
    splits = {
        name: [row for row, part in zip(rows, parts, strict=True) if part == name]
        for name in SPLITS
    }
    if empty := [name for name, members in splits.items() if not members]:
        raise UserError(f"{path}: no row is of the {empty[0]} split")
    return splits
