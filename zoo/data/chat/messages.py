"""Messages of a conversation: who says what, in which order."""

from collections.abc import Sequence
from typing import Any

from zoo.data.tokenizers.base import replace_halves
from zoo.errors import UserError, unknown_name

Message = dict[str, str]  # role, content
ROLES = ("system", "user", "assistant")
ROLE, CONTENT = "role", "content"
FROM, VALUE = "from", "value"  # as files in ShareGPT's form call them
SPEAKERS = {"human": "user", "gpt": "assistant"}  # likewise
KEYS = {ROLE, CONTENT, FROM, VALUE}  # that are read


def check_messages(value: Any, where: str) -> list[Message]:
    """The messages of a row, as far as they are understood without a template.

    Args:
        value: What the file holds: a list of objects with `role` and `content`, or `from` and
            `value`.
        where: Its place, for messages.

    Raises:
        UserError: It is something else; an unknown role; a system message that is not the first; an
            assistant that says nothing, or that speaks first.
    """
    if not isinstance(value, list):
        raise UserError(f"{where}: expected a list of messages, got a {type(value).__name__}")
    if not value:
        raise UserError(f"{where}: the conversation is empty; expected a user's message")
    messages: list[Message] = []
    for number, entry in enumerate(value):
        messages.append(check_message(entry, f"{where}, message {number + 1}", messages))
    return messages


def check_message(entry: Any, where: str, before: Sequence[Message] = ()) -> Message:
    """One message.

    Args:
        entry: What the file holds.
        where: Its place, for messages.
        before: The messages before it, which were checked.

    Raises:
        UserError: As in `check_messages`.
    """
    entry = _in_our_words(entry)
    if not isinstance(entry, dict) or not entry.keys() >= {ROLE, CONTENT}:
        got = f"'{', '.join(entry)}'" if isinstance(entry, dict) else f"a {type(entry).__name__}"
        raise UserError(f"{where}: expected an object with 'role' and 'content', got {got}")
    role, content = entry[ROLE], entry[CONTENT]
    if role not in ROLES:
        raise UserError(f"{where}: {unknown_name('role', str(role), ROLES)}")
    if not isinstance(content, str):
        raise UserError(f"{where}: 'content' is a {type(content).__name__}, expected a text")
    if role == "system" and before:
        raise UserError(f"{where}: a system message comes first, and once")
    if role == "assistant" and (not before or before[-1][ROLE] != "user"):
        after = f"one of the {before[-1][ROLE]}" if before else "nothing"
        raise UserError(f"{where}: an assistant's message follows {after}, expected a user's")
    if role == "assistant" and not content.strip():
        raise UserError(f"{where}: the assistant's message is empty")
    return {ROLE: role, CONTENT: replace_halves(content)}


def _in_our_words(entry: Any) -> Any:
    """A message in ShareGPT's form (human, gpt) in that of chat templates (user, assistant)."""
    if not isinstance(entry, dict) or ROLE in entry or not entry.keys() >= {FROM, VALUE}:
        return entry
    speaker = entry[FROM]
    role = SPEAKERS.get(speaker, speaker) if isinstance(speaker, str) else speaker
    return {ROLE: role, CONTENT: entry[VALUE]}


def exchange(prompt: str, response: str) -> list[Message]:
    """A prompt and its response as messages."""
    return [{ROLE: "user", CONTENT: prompt}, {ROLE: "assistant", CONTENT: response}]
