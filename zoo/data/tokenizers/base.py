"""The base of all tokenizers.

Special tokens (`<|endoftext|>`, `[MASK]`, ...) come first in every vocabulary, and no text is ever
encoded as one of them.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from zoo.errors import UserError

UNKNOWN = "<unk>"
EOT, MASK = "<|endoftext|>", "[MASK]"
PAD, BOS, EOS = "<pad>", "<s>", "</s>"
Ids = np.ndarray
KNOWN_LEAST = 0.05  # fraction of a text, of which less is as good as nothing
_HALF = re.compile("[\ud800-\udfff]")


def check_whole(text: str) -> None:
    """Refuse text that has no UTF-8: halves of characters that were cut in two, wrong bytes.

    Raises:
        UserError: With the place of the first.
    """
    if text.isascii() or (match := _HALF.search(text)) is None:
        return
    code, place = ord(match[0]), match.start() + 1
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte of an argument that it cannot read
        what = f"is not UTF-8: byte 0x{code - 0xDC00:02x} as its character {place}"
        raise UserError(f"the text {what}; set the terminal to UTF-8")
    raise UserError(
        f"the text has half a character, U+{code:04X}, as its character {place}: an emoji that was "
        "cut in two; remove it or write the whole one"
    )


def replace_halves(text: str) -> str:
    """The text with U+FFFD, which stands for what cannot be read, for halves of characters."""
    return text if text.isascii() else _HALF.sub("\ufffd", text)


class Tokenizer:
    """The base of all kinds of tokenizers.

    Args:
        specials: Names of the special tokens; their ids are 0, 1, ... in this order.

    Attributes:
        chat: How conversations are written (`zoo.data.chat`): `source` of a Jinja template,
            `variables` that it may use, `date`; None where that is not known.
        ends: Ids that end a generated text beside `<|endoftext|>` and the end of an answer, as
            published settings state them.
    """

    kind: ClassVar[str]
    chat: dict[str, Any] | None = None
    ends: Sequence[int] = ()

    def __init__(self, specials: Sequence[str] = ()) -> None:
        self.specials = {name: number for number, name in enumerate(specials)}

    @property
    def vocab_size(self) -> int:
        """How many ids there are, special tokens included."""
        return len(self.specials) + self._size()

    @property
    def first_id(self) -> int:
        """Ids below it are special tokens."""
        return len(self.specials)

    @property
    def pad_id(self) -> int | None:
        """The id that fills up shorter texts: `<pad>`, or else the end of a text."""
        return self.specials.get(PAD, self.specials.get(EOT))

    @property
    def begin_id(self) -> int | None:
        """The id before every text that a published model reads; None for none."""
        return None

    @property
    def first_special(self) -> int | None:
        """The id of `<s>`, or a published `[CLS]`, which `wrap` puts first; None without one."""
        return self.specials.get(BOS)

    @property
    def unknown_id(self) -> int | None:
        """The id of parts of a published tokenizer's texts that its vocabulary lacks; or None."""
        return None

    def need_pad_id(self) -> int:
        """`pad_id`.

        Raises:
            UserError: There is none.
        """
        if self.pad_id is None:
            raise UserError(
                f"the {self.kind} tokenizer has no token for padding; expected {PAD} or {EOT} in it"
            )
        return self.pad_id

    @property
    def may_lack(self) -> bool:
        """Whether a text can be encoded though the vocabulary lacks parts of it."""
        return False

    def count_unknown(self, text: str) -> tuple[int, int]:
        """How many words or letters of a text the vocabulary lacks, and of how many."""
        return 0, 0

    def knows_nothing(self, text: str) -> bool:
        """Whether the vocabulary lacks (almost) all words or letters of a text that has some."""
        if not self.may_lack:
            return False
        for name in self.specials:  # as `[MASK]`, which a user may write
            text = text.replace(name, " ")
        lacking, total = self.count_unknown(text)
        return total > 0 and lacking >= (1 - KNOWN_LEAST) * total

    def notes(self) -> list[str]:
        """What a user should know about how texts were cut."""
        return []

    @property
    def wraps(self) -> bool:
        """Whether whole texts stand between `<s>` and `</s>`, as BERT's between `[CLS]` and
        `[SEP]`."""
        return {BOS, EOS} <= self.specials.keys()

    def wrap(self, ids: Ids, length: int) -> Ids:
        """The ids of a whole text, at most `length`, with the model's special tokens around."""
        if not self.wraps:
            return ids[:length]
        first, last = ([self.specials[name]] for name in (BOS, EOS))
        wrapped = np.concatenate([first, ids[: max(0, length - 2)], last])
        return wrapped.astype(np.int32)[:length]

    def encode(self, text: str) -> Ids:
        """Ids of a text, int32 (N,).

        Raises:
            UserError: The text has a character that the vocabulary lacks, or half a character.
        """
        check_whole(text)
        return self._encode(text) + np.int32(len(self.specials))

    def controls(self) -> dict[str, int]:
        """Ids of all special tokens by the names that a chat template writes."""
        return dict(self.specials)

    def encode_pieces(self, pieces: Sequence[str | int]) -> Ids:
        """Ids of a text with special tokens in it, int32 (N,).

        Args:
            pieces: Texts, no part of which becomes a special token, and ids of such.

        Raises:
            UserError: As in `encode`.
        """
        parts = [self.encode(p) if isinstance(p, str) else np.array([p]) for p in pieces]
        return np.concatenate([np.zeros(0, np.int32), *parts]).astype(np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids; special tokens are left out."""
        first = len(self.specials)
        return self._decode([int(i) - first for i in ids if i >= first])

    def token(self, number: int) -> str:
        """One id as visible text: a special token by its name, a space as `·`, a newline as `↵`."""
        if number < len(self.specials):
            return list(self.specials)[number]
        text = self._decode([number - len(self.specials)])
        return text.replace(" ", "·").replace("\n", "↵").replace("\t", "⇥")

    def token_bytes(self) -> list[int]:
        """How many UTF-8 bytes of text each id stands for; special tokens for none."""
        return [0] * len(self.specials) + self._bytes()

    def word_starts(self) -> list[bool]:
        """Whether each id begins a word (for whole-word masking)."""
        return [True] * self.vocab_size

    def spelled(self) -> list[bytes]:
        """The UTF-8 bytes of each id, with the space before it where ids are words; those of
        special tokens are a newline."""
        return [b"\n"] * len(self.specials) + self._spelled()

    def word_finder(self) -> Callable[[Ids], np.ndarray]:
        """What tells for rows of ids (N, T) which begin a word, Chinese ones by jieba: bool (N, T).

        Raises:
            UserError: jieba is not installed.
        """
        from zoo.data.tokenizers.segmented import Segmented

        return Segmented(self.spelled())

    def to_json(self) -> dict[str, Any]:
        """Everything that `load_tokenizer` needs."""
        return {"kind": self.kind, "specials": list(self.specials), **self._state()} | self._chat()

    def vocabulary(self) -> dict[str, Any]:
        """What decides which ids a text has: all but how conversations are written, and end."""
        other = ("chat", "ends")
        return {name: value for name, value in self.to_json().items() if name not in other}

    def identity(self) -> str:
        """The same for tokenizers that give every text the same ids: `bpe-4096-3fa9c2d1`."""
        content = json.dumps(self.vocabulary(), sort_keys=True)
        return f"{self.kind}-{self.vocab_size}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"

    def _chat(self) -> dict[str, Any]:
        return {} if self.chat is None else {"chat": self.chat}

    def _size(self) -> int:
        raise NotImplementedError

    def _encode(self, text: str) -> Ids:
        raise NotImplementedError

    def _decode(self, ids: list[int]) -> str:
        raise NotImplementedError

    def _bytes(self) -> list[int]:
        raise NotImplementedError

    def _spelled(self) -> list[bytes]:
        return [self._decode([i]).encode("utf-8", "surrogatepass") for i in range(self._size())]

    def _state(self) -> dict[str, Any]:
        return {}
