"""The user's own preferences: a file of JSON objects, each a prompt with a better and a worse
answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.data.charset import read_text
from zoo.data.chat.messages import CONTENT, ROLE, Message, check_message, check_messages, exchange
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.splits import split_items
from zoo.data.text.chat_encoding import ChatEncoding
from zoo.data.text.conversations import (
    Conversation,
    chat_encoding,
    check_template,
    read_template,
)
from zoo.data.text.json_rows import Entry, read_rows, unread
from zoo.data.text.preferences import (
    Preference,
    PreferenceEncoding,
    preference_dataset,
    preference_encoding,
)
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
    chat_template: str | None = None,
) -> Dataset:
    """Lines of a JSONL file, or the entries of a JSON list.

    Args:
        context: The shared settings.
        block_size: Maximum number of tokens of a prompt with an answer; longer ones are left out.
        path: The file.
        prompt, chosen, rejected: Names of the three in each line: texts, or lists of messages.
        split_column: Name of the column that says train, val or test; null to split at random.
        template: The text around a plain prompt.
        verifier: What checks an answer: python, sums; null for nothing.
        chat_template: How messages are written: a file with a Jinja template, or the template
            itself; null for that of the tokenizer, or else a default. Given, texts are messages
            too.
    """
    if path is None:
        raise UserError("data.path is missing: a JSONL file; e.g. data.path=pairs.jsonl")
    if verifier is not None and verifier not in VERIFIERS:
        raise UserError(f"data.verifier: {unknown_name('verifier', verifier, VERIFIERS)}")
    if block_size < 2:
        raise UserError(f"data.block_size={block_size}: expected 2 or more")
    columns = (prompt, chosen, rejected)
    text, notes = read_text(user_path(path))
    found = read_rows(text, path)
    rows = [read_row(row, where, columns) for where, row in found]
    if split_column:
        context.check_no_folds(f"the column '{split_column}' says which split a row is of")
        parts = [_part(row, at, split_column) for at, row in found]
        splits = _by_split(rows, parts, path, allow_empty=not context.is_new)
    else:
        splits = split_items(rows, context.split, allow_empty=not context.is_new)
    source = read_template(chat_template) if context.encoding is None else None  # a run has its own
    encoding: ChatEncoding | PreferenceEncoding
    if isinstance(context.encoding, ChatEncoding) or source or _has_messages(found, columns):
        if verifier is not None:
            raise UserError("data.verifier checks answers to texts; leave it out for messages")
        if context.encoding is None:
            check_template(template)
        encoding = chat_encoding("preferences", _spoken(splits), context, block_size, source)
    else:
        encoding = preference_encoding(splits, context, block_size, template, columns, verifier)
    if not context.is_new:
        splits["all"] = rows
    dataset = preference_dataset("preferences", splits, encoding)
    dataset.notes.extend(notes + unread(found, {*columns, split_column or prompt}))
    return dataset


def _spoken(splits: Mapping[str, Sequence[Preference]]) -> dict[str, list[Conversation]]:
    """Each row as two conversations."""
    return {
        split: [Conversation(messages, row.where) for row in rows for messages in row.conversations]
        for split, rows in splits.items()
    }


def _has_messages(rows: Sequence[Entry], columns: Columns) -> bool:
    return any(isinstance(row.get(name), list) for _, row in rows for name in columns)


def read_row(row: Any, where: str, columns: Columns) -> Preference:
    """A line of the file.

    Args:
        row: Its JSON.
        where: It stands, for messages.
        columns: Names of prompt, chosen and rejected answer.

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
    asked = _asked(row, where, columns[0], before)
    return Preference(asked, replace_halves(chosen), replace_halves(rejected), where)


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


def _asked(row: Mapping[str, Any], where: str, name: str, before: list[Message]) -> list[Message]:
    """The messages that are answered, of which the last is the user's."""
    if name not in row and not before:
        raise UserError(f"data.prompt: {where}: {unknown_name('key', name, row)}")
    value = row.get(name, [])
    if isinstance(value, str):
        messages = exchange(replace_halves(value), "")[:1]
        if before and before[-1:] != messages:
            raise UserError(f"{where}: '{name}' is another text than the message that is answered")
        messages = before or messages
    else:
        messages = (check_messages(value, f"{where}, '{name}'") if value else []) + before
    if not messages or messages[-1][ROLE] != "user":
        said = f"the {messages[-1][ROLE]}'s" if messages else "missing"
        raise UserError(f"{where}: the message before the answer is {said}, expected the user's")
    return messages


def _part(row: Any, where: str, name: str) -> str:
    if name not in row:
        raise UserError(f"data.split_column: {where}: {unknown_name('key', name, row)}")
    if row[name] not in SPLITS:
        raise UserError(f"{where}: '{name}' is {row[name]!r}, expected one of {', '.join(SPLITS)}")
    return row[name]


def _by_split(
    rows: list[Preference], parts: list[str], path: str, allow_empty: bool
) -> dict[str, list[Preference]]:
    splits = {
        name: [row for row, part in zip(rows, parts, strict=True) if part == name]
        for name in SPLITS
    }
    empty = [name for name, members in splits.items() if not members]
    if empty and not allow_empty:
        raise UserError(f"{path}: no row is of the {empty[0]} split")
    return splits
