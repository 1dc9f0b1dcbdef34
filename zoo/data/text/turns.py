"""Conversations as one text, where no chat template says how to write them."""

from collections.abc import Sequence

from zoo.data.chat.messages import CONTENT, ROLE, Message
from zoo.data.text.prompt_encoding import PLACEHOLDER
from zoo.errors import UserError


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
    if not messages or messages[-1][ROLE] != "user":
        said = f"the {messages[-1]['role']}'s" if messages else "missing"
        raise UserError(f"{where}: the message before the answer is {said}, expected the user's")
    parts = []
    for message in messages:
        text = message[CONTENT]
        is_user = message[ROLE] == "user"
        parts.append(template.replace(PLACEHOLDER, text) if is_user else f"{text}\n")
    return "".join(parts)
