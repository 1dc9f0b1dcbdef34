"""Text to ids and back: bytes, characters, words, or byte pairs learnt from the text."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from zoo.data.tokenizers.base import BOS, EOS, EOT, MASK, PAD, UNKNOWN, Ids, Tokenizer
from zoo.data.tokenizers.bpe import BpeTokenizer
from zoo.data.tokenizers.published import PublishedTokenizer
from zoo.data.tokenizers.words import GIVEN, RULE, WordTokenizer, has_jieba
from zoo.errors import UserError, unknown_name

__all__ = ["BOS", "EOS", "EOT", "MASK", "PAD", "UNKNOWN", "Ids", "Tokenizer"]  # re-exported

TokenizerName = Literal["byte", "char", "word", "bpe", "published"]


class ByteTokenizer(Tokenizer):
    """256 bytes of UTF-8: any text in any script, no vocabulary to learn."""

    kind = "byte"

    def _size(self) -> int:
        return 256

    def _encode(self, text: str) -> Ids:
        return np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int32)

    def _decode(self, ids: list[int]) -> str:
        return bytes(ids).decode("utf-8", errors="replace")

    def _bytes(self) -> list[int]:
        return [1] * 256

    def _spelled(self) -> list[bytes]:
        return [bytes([number]) for number in range(256)]


class CharTokenizer(Tokenizer):
    """The characters that occur in the text."""

    kind = "char"

    def __init__(self, characters: str, specials: Sequence[str] = ()) -> None:
        super().__init__(specials)
        self.characters = characters
        points = np.array([ord(c) for c in characters], np.int64)
        self._table = np.full(int(points.max(initial=0)) + 1, -1, np.int32)
        self._table[points] = np.arange(len(characters))

    @classmethod
    def train(cls, texts: Iterable[str], specials: Sequence[str] = ()) -> "CharTokenizer":
        """The characters of the texts, in the order of their code points."""
        characters: set[str] = set()
        for text in texts:
            characters.update(text)
        return cls("".join(sorted(characters)), specials)

    def _size(self) -> int:
        return len(self.characters)

    def _encode(self, text: str) -> Ids:
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        known = points < len(self._table)
        ids = np.where(known, self._table[np.where(known, points, 0)], -1)
        if len(ids) and ids.min() < 0:
            lacking = "".join(dict.fromkeys(text[i] for i in np.flatnonzero(ids < 0)[:1000]))
            raise UserError(
                f"the text has characters that the vocabulary of {len(self.characters)} lacks: "
                f"{' '.join(map(repr, lacking[:5]))}{' ...' if len(lacking) > 5 else ''}; leave "
                "them out, or train with data.tokenizer=byte or bpe, which encode any text"
            )
        return ids.astype(np.int32)

    def _decode(self, ids: list[int]) -> str:
        return "".join(self.characters[i] for i in ids)

    def _bytes(self) -> list[int]:
        return [len(c.encode("utf-8", "surrogatepass")) for c in self.characters]

    def _state(self) -> dict[str, Any]:
        return {"characters": self.characters}


KINDS: dict[str, type[Tokenizer]] = {
    cls.kind: cls
    for cls in (ByteTokenizer, CharTokenizer, WordTokenizer, BpeTokenizer, PublishedTokenizer)
}


def train_tokenizer(
    kind: str,
    texts: Iterable[str],
    vocab_size: int | None = None,
    min_count: int = 1,
    specials: Sequence[str] = (),
    leading_space: bool = False,
    as_given: bool = False,
) -> Tokenizer:
    """A tokenizer fitted on texts.

    Args:
        kind: "byte", "char", "word" or "bpe".
        texts: Texts to learn from, read once; bytes need none.
        vocab_size: Ids at most (word) or exactly, where the text is rich enough (bpe).
        min_count: How often a word must occur to get an id.
        specials: Names of special tokens, which get the first ids.
        leading_space: Whether texts are sentences, encoded with a space in front (bpe).
        as_given: Whether texts are words with spaces between, to be taken as they are (word).

    Raises:
        UserError: An unknown kind, a vocabulary too small, a text without any word.
    """
    if kind == "byte":
        return ByteTokenizer(specials)
    if kind == "char":
        return CharTokenizer.train(texts, specials)
    if kind == "word":
        rule = GIVEN if as_given else RULE
        tokenizer = WordTokenizer.train(texts, vocab_size, min_count, specials, rule)
        if not tokenizer.words:
            raise UserError(
                f"no word occurs data.min_count={min_count} times in the training text; lower it"
            )
        return tokenizer
    if kind == "bpe":
        size = 4096 if vocab_size is None else vocab_size
        return BpeTokenizer.train(texts, size, specials, leading_space)
    if kind == PublishedTokenizer.kind:
        raise UserError("data.tokenizer=published comes with published weights: set init.from")
    raise UserError(unknown_name("data.tokenizer", kind, KINDS))


def cut_version(kind: str) -> str:
    """What a new vocabulary of this kind depends on besides its settings and text."""
    return {"word": f" {RULE} {has_jieba()}", "bpe": " marks"}.get(kind, "")


def load_tokenizer(json: dict[str, Any]) -> Tokenizer:
    """The tokenizer that `to_json` described.

    Raises:
        UserError: The kind is not known, or fields are missing.
    """
    kind = json.get("kind") if isinstance(json, dict) else None
    if kind not in KINDS:
        raise UserError(f"tokenizer of unknown kind {kind!r} (one of: {', '.join(KINDS)})")
    fields = {name: value for name, value in json.items() if name not in ("kind", "chat")}
    try:
        tokenizer = KINDS[kind](**fields)
        tokenizer.chat = json.get("chat")
        return tokenizer
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(f"the run's {kind} tokenizer is damaged: {error}") from error
