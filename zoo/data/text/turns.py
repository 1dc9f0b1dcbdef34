"""Conversations as one text: messages, each of a role and its content."""

from collections.abc import Sequence
from typing import Any

from zoo.data.text.prompt_encoding import PLACEHOLDER
from zoo.errors import UserError, unknown_name

Message = dict[str, str]
ROLES = ("system", "user", "assistant")


def read_messages(value: Any, where: str) -> list[Message]:
    """Messages of JSON: `[{"role": "user", "content": "..."}, ...]`.

    Args:
        value: Of the file.
        where: It stands, for messages.

    Raises:
        UserError: No list of objects, an unknown role, a content that is no text.
    """
    if not isinstance(value, list) or not value:
        raise UserError(f"{where}: expected a text, or a list of messages")
    for message in value:
        if not isinstance(message, dict) or not {"role", "content"} <= message.keys():
            raise UserError(f"{where}: expected messages of 'role' and 'content', got {message!r}")
        if message["role"] not in ROLES:
            raise UserError(f"{where}: {unknown_name('role', str(message['role']), ROLES)}")
        if not isinstance(message["content"], str):
            kind = type(message["content"]).__name__
            raise UserError(f"{where}: the content of a message is a {kind}, expected a text")
    return value


def flatten(messages: Sequence[Message], template: str, where: str) -> str:
    """The text after which an answer is written: what the user says in the template, all else as it
    is, on lines of its own.

    Args:
        messages: Of which the last is the user's.
        template: The text around a prompt (`{prompt}`).
        where: They stand, for messages.

    Raises:
        UserError: The last message is not the user's.
    """
    if not messages or messages[-1]["role"] != "user":
        said = f"the {messages[-1]['role']}'s" if messages else "missing"
        raise UserError(f"{where}: the message before the answer is {said}, expected the user's")
    parts = []
    for message in messages:
        text = message["content"]
        is_user = message["role"] == "user"
        parts.append(template.replace(PLACEHOLDER, text) if is_user else f"{text}\n")
    return "".join(parts)
