"""`scripts/predict.py chat=true`: a conversation, each message answered with those before it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zoo.commands.answers import Row, answer, respond_of
from zoo.errors import UserError
from zoo.schema import parameters

if TYPE_CHECKING:
    from zoo.restore import Restored, Warn

Message = dict[str, str]


class Talk:
    """A conversation with a run.

    Args:
        restored: The run.
        system: What is said first, by nobody; empty for nothing.
        options: Of the task's `respond`.
        warn: Called with what is said of a message.

    Raises:
        UserError: The run knows no conversations.
    """

    def __init__(self, restored: "Restored", system: str, options: Row, warn: "Warn") -> None:
        from zoo.tasks.capabilities import Chats

        task = restored.task
        if not isinstance(task, Chats) or task.chat is None:
            raise UserError(
                f"chat=true: the run was trained on {restored.encoding.holds}, not on "
                "conversations; train with data=sft on rows of messages, or leave it out"
            )
        if options.pop("samples", 1) != 1:
            raise UserError("samples= and chat=true: one answer continues a conversation")
        self.restored, self.options, self.warn, self.chat = restored, options, warn, task.chat
        respond = respond_of(restored, warn)
        assert respond is not None  # as of every task that chats
        self._most = options.get("max_tokens", parameters(respond)["max_tokens"].default)
        self.messages: list[Message] = []
        if system:
            self.messages.append({"role": "system", "content": system})
        self._first = len(self.messages)  # of those that may be forgotten

    def answer(self, text: str) -> Iterator[Row]:
        """The answer to a message, in pieces; both are remembered.

        Raises:
            UserError: The chat template, the tokenizer or the task refuses the message.
        """
        self.messages.append({"role": "user", "content": text})
        self._forget()
        pieces = []
        rows = answer(self.restored, text, self.options, self.warn, self.messages)
        for row in rows:
            pieces.append(row["text"])
            yield row
        self.messages.append({"role": "assistant", "content": "".join(pieces)})

    def _forget(self) -> None:
        """Leave out the oldest messages while an answer would not fit."""
        from zoo.tasks.base import context_of

        context = context_of(self.restored.model)
        if context is None:
            return
        room = min(self._most, context // 2)
        forgotten = 0
        while len(self.messages) > self._first + 2:
            if len(self.chat.prompt(self.messages)) + room <= context:
                break
            del self.messages[self._first : self._first + 2]
            forgotten += 2
        if forgotten:
            self.warn(
                f"the first {forgotten} messages are forgotten: the model reads {context} tokens"
            )
