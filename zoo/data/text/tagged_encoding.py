"""How a sentence becomes a row of token ids, each word of which gets a tag.

A word is one token, or several of a vocabulary of word pieces; its tag belongs to the first.
Shapes: N sentences, T tokens of the longest.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from zoo.batch import Batch
from zoo.data.charset import read_text
from zoo.data.encoding import ENCODINGS
from zoo.data.paths import is_file
from zoo.data.text.encoding import RowEncoding
from zoo.data.text.ragged import Row, padded
from zoo.data.tokenizers.registry import MASK, PAD, Tokenizer, load_tokenizer
from zoo.data.tokenizers.scripts import ANY, is_unspaced
from zoo.errors import UserError, unknown_name

SPECIALS = (PAD,)
NO_WORD = -1  # at tokens that begin no word
WIDE = f"{ANY}\u3001-\u3004\u3008-\u3020\uff01-\uff65"  # scripts without spaces, and their signs
CUTS = {  # how a text is cut into words
    "spaces": re.compile(r"\S+"),
    "characters": re.compile(r"\S"),
    "wide characters": re.compile(rf"[{WIDE}]|[^\s{WIDE}]+"),
    # Names in pieces (`getValue`, `get_value`), digits, single signs; no quotes and no \.
    "code": re.compile(r"[A-Z]+(?![^\W\d_A-Z])|[A-Z]?[^\W\d_A-Z]+|\d+|[^\w\s'\"\\]"),
}


class Piece(NamedTuple):
    """A sentence, or a part of one that is too long for the model.

    Attributes:
        words: As they are written.
        ids: Of its tokens, int32 (T,).
        begins: Number of the word that begins at each token, or `NO_WORD`; int32 (T,).
    """

    words: list[str]
    ids: Row
    begins: Row


@ENCODINGS.register("tagged")
@dataclass(frozen=True)
class TaggedEncoding(RowEncoding):
    """Words to token ids, padded on the right, by a tokenizer fitted on the training split.

    Attributes:
        tokenizer: The tokenizer; `<pad>` is among its special tokens.
        length: Maximum number of tokens; a longer sentence is read in several parts.
        tag_names: Name of each tag, by number.
        cut: How a text is cut into words, a name of `CUTS`; those of `code` are lower-cased.
    """

    kind: ClassVar[str] = "tagged"
    holds: ClassVar[str] = "sentences with a tag for each word"
    tokenizer: Tokenizer
    length: int
    tag_names: tuple[str, ...]
    cut: str = "spaces"

    def __post_init__(self) -> None:
        if self.cut not in CUTS:
            raise ValueError(unknown_name("cut", self.cut, CUTS))

    @property
    def runtime_facts(self) -> dict[str, Any]:
        """The tokenizer, and what cuts a text into pieces."""
        return {"tokenizer": self.tokenizer, "cut_text": self.cut_text}

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding."""
        return {
            "kind": self.kind,
            "length": self.length,
            "tag_names": list(self.tag_names),
            "cut": self.cut,
            "tokenizer": self.tokenizer.to_json(),
        }

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> "TaggedEncoding":
        """The inverse of `to_json`."""
        names, tokenizer = tuple(json["tag_names"]), load_tokenizer(json["tokenizer"])
        return cls(tokenizer, json["length"], names, json["cut"])

    @property
    def lower_case(self) -> bool:
        """Whether the words of a text are lower-cased."""
        return self.cut == "code"

    @cached_property
    def _known(self) -> dict[str, Row]:
        """Ids of the words so far: a text repeats its words."""
        return {}

    def words(self, text: str) -> list[str]:
        """The words of a text, as the model knows them."""
        return cut_words(text, self.cut)

    def pieces(self, words: Sequence[str]) -> list[Piece]:
        """A sentence as pieces of at most `length` tokens, cut between words."""
        room, pieces, ids, start = self.room, [], list[Row](), 0
        for number, word in enumerate(words):
            own = self._ids_of(word)[: max(1, room)]
            if ids and sum(map(len, ids)) + len(own) > room:
                pieces.append(self._piece(words[start:number], ids))
                ids, start = [], number
            ids.append(own)
        return [*pieces, self._piece(words[start:], ids)] if ids else pieces

    def _ids_of(self, word: str) -> Row:
        if (known := self._known.get(word)) is None:
            ids = self.tokenizer.encode(word)
            # Published vocabularies drop some signs, but each word has a tag.
            known = self._known[word] = ids if len(ids) else self.tokenizer.encode("?")
        return known

    def _piece(self, words: Sequence[str], ids: Sequence[Row]) -> Piece:
        flat = np.concatenate(ids)
        begins = np.full(len(flat), NO_WORD, np.int32)
        begins[np.cumsum([0, *map(len, ids[:-1])])] = np.arange(len(ids))
        wrapped = self.tokenizer.wrap(flat, self.length)
        before = int((wrapped == flat[0]).argmax())  # special tokens
        after = len(wrapped) - before - len(flat)
        return Piece(list(words), wrapped, np.pad(begins, (before, after), constant_values=NO_WORD))

    def cut_text(self, text: str) -> list[Piece]:
        """The pieces of a text.

        Raises:
            UserError: It has no word.
        """
        if not (words := self.words(text)):
            shown = text if len(text) <= 40 else text[:37] + "..."
            raise UserError(f"input: no word in {shown!r}; expected a sentence")
        return self.pieces(words)

    def read(self, path: str) -> tuple[list[str], Batch]:
        """A sentence; or a file, a sentence a line. Long ones are several samples.

        Raises:
            UserError: Nothing to read.
        """
        texts = [path]
        if is_file(path):
            text, _ = read_text(Path(path))
            texts = [line for line in re.split("[\r\n]+", text) if self.words(line)] or [""]
        pieces = [piece for text in texts for piece in self.cut_text(text)]
        names = [" ".join(piece.words) for piece in pieces]
        return names, {"input": padded([piece.ids for piece in pieces], self.pad_id)}

    def facts(self) -> dict[str, Any]:
        """Facts that models and tasks may ask for."""
        specials = self.tokenizer.specials
        facts: dict[str, Any] = {
            "vocab_size": self.tokenizer.vocab_size,
            "block_size": self.length,
            "pad_id": self.pad_id,
            "num_tags": len(self.tag_names),
            "tag_names": list(self.tag_names),
        }
        return facts | ({"mask_id": specials[MASK]} if MASK in specials else {})


def cut_of(words: Iterable[str]) -> str:
    """How texts like these words are cut: into characters where those of a script without spaces,
    such as Chinese, are each a word.

    Args:
        words: Of the data.
    """
    every = set(words)
    unspaced = [word for word in every if is_unspaced(word)]
    if not unspaced or any(len(word) > 1 for word in unspaced):
        return "spaces"
    return "wide characters" if any(len(word) > 1 for word in every) else "characters"


def cut_words(text: str, cut: str) -> list[str]:
    """The words of a text.

    Args:
        text: Any.
        cut: A name of `CUTS`.
    """
    words = CUTS[cut].findall(text)
    return [word.lower() for word in words] if cut == "code" else words
