"""The user's own prompts and responses, or conversations: a file of JSON objects, a line each or in
one list."""

import json
from collections.abc import Sequence
from typing import Any

from zoo.data.charset import read_text
from zoo.data.chat.messages import KEYS, check_messages, exchange
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.text.chat_encoding import ChatEncoding
from zoo.data.text.conversations import (
    Conversation,
    check_template,
    conversation_dataset,
    read_template,
)
from zoo.data.text.json_rows import Entry, read_rows, unread
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
    messages: str = "messages",
    chat_template: str | None = None,
    pack: bool = False,
) -> Dataset:
    """Lines of a JSONL file, or the entries of a JSON list.

    Args:
        context: The shared settings.
        block_size: Maximum number of tokens of prompt and response together; longer ones are left
            out, longer conversations end with the last answer that fits.
        path: The file.
        prompt, response: Names of the two in each line.
        template: The text around a plain prompt, such as `Question: {prompt}\\nAnswer:`.
        messages: Name of the messages in each line, where lines are conversations.
        chat_template: How conversations are written: a file with a Jinja template, or the template
            itself; null for that of the tokenizer, or else a default. Given, prompts and responses
            are conversations too.
        pack: Whether short conversations share rows, without attention across them.
    """
    if path is None:
        raise UserError("data.path is missing: a JSONL file; e.g. data.path=answers.jsonl")
    text, notes = read_text(user_path(path))
    rows = read_rows(text, path)
    source = read_template(chat_template) if context.encoding is None else None  # a run has its own
    is_chat = isinstance(context.encoding, ChatEncoding) or source is not None
    if is_chat or any(isinstance(row, dict) and messages in row for _, row in rows):
        if context.encoding is None:
            check_template(template)
        found = read_conversations(rows, messages, prompt, response)
        dataset = conversation_dataset("sft", found, context, block_size, source, pack)
        read = {messages, prompt, response}
        dataset.notes.extend(notes + _chat_notes(rows, messages) + unread(rows, read))
        return dataset
    if pack:
        raise UserError(
            "data.pack=true packs conversations; give data.chat_template=default to take prompts "
            "and responses as such"
        )
    pairs, mended = mend_halves([_pair(row, where, prompt, response) for where, row in rows])
    dataset = prompt_dataset("sft", pairs, context, block_size, template, (prompt, response))
    dataset.notes.extend(notes + mended + unread(rows, {prompt, response}))
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


def _pair(row: Any, where: str, prompt: str, response: str) -> Pair:
    """Both texts of a row."""
    if not isinstance(row, dict):
        raise UserError(f"{where}: expected an object, got a {type(row).__name__}")
    for option, name in (("prompt", prompt), ("response", response)):
        if name not in row:
            lists = [key for key, value in row.items() if isinstance(value, list)]
            hint = f"; of conversations give data.messages={lists[0]}" if lists else ""
            raise UserError(f"data.{option}: {where}: {unknown_name('key', name, row)}{hint}")
        if not isinstance(row[name], str):
            kind = type(row[name]).__name__
            raise UserError(f"{where}: '{name}' is a {kind}, expected a text")
    if not row[response].strip():
        raise UserError(f"{where}: '{response}' is empty")
    return row[prompt], row[response]


def _chat_notes(rows: Sequence[Entry], messages: str) -> list[str]:
    """Notes on halves of characters, which are read as U+FFFD, and on what is not read."""
    texts = [json.dumps(row.get(messages, row), ensure_ascii=False) for _, row in rows]
    number = sum(text != replace_halves(text) for text in texts)
    what = "conversations hold half a character, an emoji cut in two; it is read as \ufffd"
    notes = [f"{number:,} of {len(texts):,} {what}"] if number else []
    keys = {key for _, row in rows for message in row.get(messages, []) for key in message}
    unread = sorted(keys - KEYS)
    if unread:
        notes.append(f"of messages only role and content are read, not {', '.join(unread)}")
    return notes


def read_conversations(
    rows: Sequence[Entry], messages: str, prompt: str, response: str
) -> list[Conversation]:
    """Conversations of a file; a prompt with its response is one too.

    Args:
        rows: Of the file.
        messages: Name of the messages in each line.
        prompt, response: Names of the two in lines without messages.

    Raises:
        UserError: A row that is neither.
    """
    found = []
    for where, row in rows:
        if isinstance(row, dict) and messages in row:
            found.append(Conversation(check_messages(row[messages], where), where))
        elif isinstance(row, dict) and row.keys().isdisjoint((prompt, response)):
            raise UserError(f"data.messages: {where}: {unknown_name('key', messages, row)}")
        else:
            pair = map(replace_halves, _pair(row, where, prompt, response))
            found.append(Conversation(exchange(*pair), where))
    return found
