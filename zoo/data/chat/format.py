"""From conversations to token ids by a chat template, and which of them an assistant writes.

The text before an answer is what the template writes of the messages before it with
`add_generation_prompt`: exactly what the model reads when it is asked. The answer is what follows
it in the template's text of the same messages with the answer, up to the token by which a turn ends
in this template. So a learnt token is one that the model has to write, with the tokens before it
that it will then have read, whatever the template trims, adds, or says of earlier turns.

No text of a message becomes a control token (`<|im_end|>`, `</s>`): those of the template alone do.
Shapes: T tokens.
"""

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zoo.data.chat.messages import CONTENT, ROLE, Message, exchange
from zoo.data.tokenizers.base import EOT, Ids, Tokenizer
from zoo.errors import UserError

if TYPE_CHECKING:
    from zoo.data.chat.template import ChatTemplate

GUARD = "\ufdd0"  # parts a control token's name in a message
NO_CHARACTERS = re.compile("[\ufdd0-\ufdef]")  # by Unicode's definition: free for such use
DEFAULT = (
    "{% for message in messages %}"
    "{{ message['role'] | capitalize + ':\n' + message['content'] }}"
    "{{ eos_token if message['role'] == 'assistant' }}{{ '\n' }}"
    "{% endfor %}"
    "{{ 'Assistant:\n' if add_generation_prompt }}"
)


class Row(NamedTuple):
    """A conversation, or the part of it that ends with one answer.

    Attributes:
        ids: Int32 (T,).
        learnt: Bool (T,), whether an assistant writes the token.
    """

    ids: Ids
    learnt: np.ndarray


@dataclass(frozen=True)
class Turn:
    """An answer, in the template's text; control tokens in messages are parted.

    Attributes:
        before: The text before it.
        whole: The same with the answer, up to the end of the turn.
    """

    before: str
    whole: str


class ChatFormat:
    """Conversations to ids.

    Args:
        tokenizer: With `chat`, the source of its template and the names that it uses.

    Raises:
        UserError: A template that cannot be read, or by which no turn ends.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        assert tokenizer.chat is not None
        self.tokenizer, self.controls = tokenizer, tokenizer.controls()
        names = sorted(self.controls, key=len, reverse=True)
        self._control = re.compile("|".join(map(re.escape, names)) or "(?!)")
        self._is_control = np.zeros(tokenizer.vocab_size, bool)
        self._is_control[list(self.controls.values())] = True
        if tokenizer.unknown_id is not None:  # what the vocabulary lacks, as in any text
            self._is_control[tokenizer.unknown_id] = False
        self.end = self._find_end()

    @functools.cached_property
    def template(self) -> "ChatTemplate":
        """Compiled when it is first used."""
        from zoo.data.chat.template import ChatTemplate

        return ChatTemplate(**self.tokenizer.chat)  # type: ignore[arg-type]  # as it was saved

    @property
    def end_id(self) -> int:
        """The token that ends an answer."""
        return self.controls[self.end]

    def _find_end(self) -> str:
        """The control token after an answer.

        Raises:
            UserError: There is none.
        """
        answer = "zoo"
        text = self.template.render(exchange("hello", answer), add_generation_prompt=False)
        found = self._control.search(text, max(0, text.rfind(answer)))
        if found is None:
            raise UserError(
                "the chat template ends no assistant's message by a special token of the "
                f"tokenizer, so that a model cannot end its answer; it writes {text[-80:]!r}"
            )
        return found[0]

    def prompt(self, messages: Sequence[Message]) -> Ids:
        """Ids of messages up to where an answer begins, int32 (T,).

        Raises:
            UserError: The template refuses them; text that the tokenizer refuses.
        """
        return self.encode(self.text(messages, True))

    def answer(self, messages: Sequence[Message]) -> tuple[Ids, Ids]:
        """Ids before the last message, an assistant's, and those of it, its end included.

        Raises:
            UserError: As in `prompt`; a template that writes an answer otherwise than it asks.
        """
        return self._cut(self._turn(messages))

    def around_a_message(self) -> dict[str, Any]:
        """`template`, the text around a first message `{prompt}`; `markers`, whether control tokens
        are in it."""
        text = self.template.render([{ROLE: "user", CONTENT: "{prompt}"}], True)
        return {"template": text, "markers": self._control.search(text) is not None}

    def rows(self, messages: Sequence[Message]) -> list[Row]:
        """A conversation as one row, or as one for each answer where the template writes of earlier
        turns otherwise than when they were the last (no reasoning, no system prompt).

        Raises:
            UserError: As in `answer`; no assistant's message.
        """
        places = [i for i, message in enumerate(messages) if message[ROLE] == "assistant"]
        if not places:
            raise UserError("no message is the assistant's: there is nothing to learn")
        turns = [self._turn(messages[: place + 1]) for place in places]
        whole = self._row(turns)
        if whole is not None:
            return [whole]
        pairs = [self._cut(turn) for turn in turns]
        return [
            Row(np.concatenate([before, after]), np.arange(len(before) + len(after)) >= len(before))
            for before, after in pairs
        ]

    def _row(self, turns: Sequence[Turn]) -> Row | None:
        """All turns in one row; None where an earlier one is not written as it was read."""
        text = turns[-1].whole
        if not all(text.startswith(turn.whole) for turn in turns):
            return None
        ids = self.encode(text)
        learnt = np.zeros(len(ids), bool)
        for turn in turns:
            before = self.encode(turn.before)
            whole = ids if turn.whole == text else self.encode(turn.whole)
            if not (_begins(ids, whole) and _begins(whole, before)):
                return None
            learnt[len(before) : len(whole)] = True
        return Row(ids, learnt)

    def _cut(self, turn: Turn) -> tuple[Ids, Ids]:
        """Ids before an answer, and its own."""
        before, whole = self.encode(turn.before), self.encode(turn.whole)
        if _begins(whole, before):
            return before, whole[len(before) :]
        # A token would reach across the border: cut there, as within a text (not at its beginning).
        return before, self.encode(self.end + turn.whole[len(turn.before) :])[1:]

    def _turn(self, messages: Sequence[Message]) -> Turn:
        before, after = self.text(messages[:-1], True), self.text(messages, False)
        if not after.startswith(before):
            raise UserError(
                f"the chat template asks for an answer by {before[-60:]!r}, and does not begin an "
                f"assistant's message with it; give one that does: data.chat_template="
            )
        found = next((m for m in self._controls_in(after, len(before)) if m[0] == self.end), None)
        if found is None:
            raise UserError(
                f"the chat template does not end this answer by '{self.end}': "
                f"{after[len(before) :][-60:]!r}"
            )
        return Turn(before, after[: found.end()])

    def _controls_in(self, text: str, start: int = 0) -> Iterator[re.Match[str]]:
        return self._control.finditer(text, start)

    def text(self, messages: Sequence[Message], prompt: bool) -> str:
        """The template's text, with control tokens in messages parted by GUARD.

        Args:
            messages: The conversation.
            prompt: Whether it ends where an answer begins.

        Raises:
            UserError: The template refuses the messages; one holds what is no character.
        """
        for message in messages:
            if found := NO_CHARACTERS.search(message[CONTENT]):
                code = f"U+{ord(found[0]):04X}"
                raise UserError(f"a message holds {code}, which is no character; remove it")
        guarded = [message | {CONTENT: self._part(message[CONTENT])} for message in messages]
        text = self.template.render(guarded, prompt)
        is_same = guarded == list(messages)
        if not is_same and self.template.render(messages, prompt) != text.replace(GUARD, ""):
            raise UserError(
                "a message holds the name of a special token, which the chat template itself looks "
                "for; remove it"
            )
        return text

    def _part(self, text: str) -> str:
        return self._control.sub(lambda found: f"{found[0][0]}{GUARD}{found[0][1:]}", text)

    def encode(self, text: str) -> Ids:
        """Ids of a text with control tokens, such as `text` gives.

        Raises:
            UserError: The tokenizer refuses it, or takes other parts of it for control tokens.
        """
        pieces: list[str | int] = []
        start = 0
        for found in self._controls_in(text):
            pieces += [text[start : found.start()].replace(GUARD, ""), self.controls[found[0]]]
            start = found.end()
        pieces.append(text[start:].replace(GUARD, ""))
        ids = self.tokenizer.encode_pieces([piece for piece in pieces if piece != ""])
        stated = sum(isinstance(p, int) and bool(self._is_control[p]) for p in pieces)
        if int(self._is_control[ids].sum()) != stated:
            raise UserError(
                "the tokenizer takes a part of a message for a special token; leave out its name: "
                + ", ".join(list(self.controls)[:5])
            )
        return ids


def _begins(ids: Ids, start: Ids) -> bool:
    return len(ids) >= len(start) and bool((ids[: len(start)] == start).all())


def with_chat(tokenizer: Tokenizer, source: str | None) -> Tokenizer:
    """The tokenizer with a chat template: the given one, its own, or else the default.

    Args:
        tokenizer: Any, with an end of text.
        source: A Jinja template; None for none.

    Raises:
        UserError: Neither template nor end of text.
    """
    chat: dict[str, Any] = dict(tokenizer.chat or {"variables": {}})
    if source is not None or "source" not in chat:
        chat["source"] = DEFAULT if source is None else source
    if not chat["variables"].get("eos_token"):
        number = tokenizer.specials.get(EOT)
        names = [name for name, control in tokenizer.controls().items() if control == number]
        if not names:
            raise UserError(f"the tokenizer has no '{EOT}', by which a model ends its answer")
        chat["variables"] = chat["variables"] | {"eos_token": names[0]}
    if "strftime_now" in chat["source"] and not chat.get("date"):
        chat["date"] = datetime.now().isoformat(timespec="seconds")
    tokenizer.chat = chat
    return tokenizer
