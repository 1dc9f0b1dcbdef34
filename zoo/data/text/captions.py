"""Captions: short texts that belong to images, as rows of token ids.

Shapes: N captions, T tokens of a row.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zoo.data.text.ragged import padded
from zoo.data.tokenizers.registry import PAD, UNKNOWN, Tokenizer
from zoo.errors import UserError

SPECIALS = (PAD, UNKNOWN)
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_DIGIT = re.compile("[0-9]")


@dataclass(frozen=True)
class Captions:
    """Texts to ids and back, in small letters, as the paper's.

    Digits are spelled (`dots-12` is read as `dots one two`): a vocabulary of words has none, and a
    digit then means the same as its word.

    Attributes:
        tokenizer: `<pad>` and `<unk>` are among its special tokens.
        length: T; what is longer is cut off.
    """

    tokenizer: Tokenizer
    length: int

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Int64 (N, T), padded on the right.

        Raises:
            UserError: A text without a token.
        """
        return self.padded(self.rows(texts))

    def rows(self, texts: Sequence[str], places: Sequence[str] = ()) -> list[np.ndarray]:
        """All ids of each text, none cut off.

        Args:
            texts: N of them.
            places: Of each in a file, for messages.

        Raises:
            UserError: A text without a token.
        """
        rows = [self.row(text) for text in texts]
        if empty := [k for k, row in enumerate(rows) if not len(row)]:
            where = f"{places[empty[0]]}: " if places else ""
            more = f" (likewise {len(empty) - 1:,} more)" if len(empty) > 1 else ""
            raise UserError(
                f"{where}the caption '{texts[empty[0]]}' has no words{more}; expected a text"
            )
        return rows

    def padded(self, rows: Sequence[np.ndarray]) -> Tensor:
        """Rows of ids as int64 (N, T): cut, or padded on the right."""
        full = np.zeros(self.length, np.int32)  # so that all are of one length
        return padded([full, *(row[: self.length] for row in rows)], self.pad_id)[1:]

    def row(self, text: str) -> np.ndarray:
        """All ids of a text, int32 (T',)."""
        return self.tokenizer.encode(spelled(text))

    def decode(self, row: Tensor) -> str:
        """The text of a row of ids, as the model reads it."""
        return self.tokenizer.decode(row.tolist()).strip()

    def unknown(self, text: str) -> list[str]:
        """The words of a text that the vocabulary lacks, each once; all of them may be."""
        words = dict.fromkeys(spelled(text).split())
        return [word for word in words if self.tokenizer.count_unknown(word)[0]]

    def knows_nothing(self, text: str) -> bool:
        """Whether the vocabulary lacks (almost) all words of a text."""
        return self.tokenizer.knows_nothing(spelled(text))

    def alike(self, texts: Sequence[str], rows: Sequence[np.ndarray]) -> Tensor:
        """For each of different texts the number of the first that is read as it is, int64 (N,).

        `A dog.` and `a dog` are the same words. Of words that are not known nothing is read, so two
        texts with such ones are alike only where they are spelled so.

        Args:
            texts: N of them.
            rows: Their ids, as of `rows`.
        """
        first: dict[str | bytes, int] = {}
        numbers = []
        for number, (text, row) in enumerate(zip(texts, rows, strict=True)):
            plain = spelled(text)
            key = plain if self.tokenizer.count_unknown(plain)[0] else row.tobytes()
            numbers.append(first.setdefault(key, number))
        return torch.tensor(numbers, dtype=torch.int64)

    @property
    def pad_id(self) -> int:
        """The id that fills up shorter rows."""
        return self.tokenizer.need_pad_id()

    @property
    def unknown_id(self) -> int:
        """The id that stands for a word that is not known: `<unk>`, or else padding."""
        return self.tokenizer.specials.get(UNKNOWN, self.pad_id)


def spelled(text: str) -> str:
    """The text in small letters, with its digits as words and single spaces."""
    words = _DIGIT.sub(lambda digit: f" {DIGITS[int(digit[0])]} ", text.lower())
    return " ".join(words.split())


def longest(tokenizer: Tokenizer, texts: Sequence[str]) -> int:
    """Tokens of the longest text."""
    whole = Captions(tokenizer, torch.iinfo(torch.int32).max)
    return max((len(whole.row(text)) for text in texts), default=0)
