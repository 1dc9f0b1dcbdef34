"""Byte-pair encoding: a vocabulary of frequent pieces of text, learnt by merging neighbours."""

import functools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from zoo.data.tokenizers.base import Ids, Tokenizer
from zoo.data.tokenizers.scripts import has_marked_letters
from zoo.errors import UserError

# GPT-2's pattern, in which a letter's combining marks belong to it: else no word of Hindi or of
# pointed Hebrew could become one token.
WITH_MARKS = (
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}[\p{L}\p{M}\x{200c}\x{200d}]*| ?\p{N}+"
    r"| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)


class BpeTokenizer(Tokenizer):
    """Byte-level byte pair encoding, as GPT-2's (Sennrich et al., 2016, arXiv:1508.07909).

    Implemented by Hugging Face's `tokenizers`. Any text can be encoded.

    Args:
        model: The JSON of a `tokenizers.Tokenizer`.
        specials: Names of the special tokens.
        leading_space: Whether texts are sentences, encoded with a space in front, so that the
            first word has the same tokens as elsewhere.
    """

    kind = "bpe"

    def __init__(
        self, model: dict[str, Any], specials: Sequence[str] = (), leading_space: bool = False
    ) -> None:
        from tokenizers import Tokenizer as Model

        super().__init__(specials)
        self._json, self.leading_space = model, leading_space
        try:
            self._model = Model.from_str(json.dumps(model))
        except Exception as error:  # the package raises nothing narrower
            raise ValueError(str(error)) from error

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int,
        specials: Sequence[str] = (),
        leading_space: bool = False,
    ) -> "BpeTokenizer":
        """Learn `vocab_size - len(specials)` tokens, 256 of them the bytes."""
        from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
        from tokenizers import Tokenizer as Model

        if vocab_size < 257 + len(specials):
            raise UserError(
                f"data.vocab_size={vocab_size}: expected at least {257 + len(specials)}, "
                "256 of which stand for the bytes"
            )
        model = Model(models.BPE())
        plain = pre_tokenizers.ByteLevel(add_prefix_space=False)
        model.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(WITH_MARKS), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        model.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size - len(specials),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        marked = False

        def watched() -> Iterator[str]:
            nonlocal marked
            for text in texts:
                marked = marked or has_marked_letters(text)
                yield " " + text if leading_space else text

        model.train_from_iterator(watched(), trainer)
        if not marked:  # the same tokens, in the file that GPT-2's readers know
            model.pre_tokenizer = plain
        return cls(json.loads(model.to_str()), specials, leading_space)

    def encode(self, text: str) -> Ids:
        """Ids of a text, int32 (N,)."""
        return super().encode(" " + text if self.leading_space else text)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids; special tokens are left out."""
        text = super().decode(ids)
        return text.removeprefix(" ") if self.leading_space else text

    def _size(self) -> int:
        return self._model.get_vocab_size()

    def _encode(self, text: str) -> Ids:
        return np.array(self._model.encode(text).ids, np.int32)

    def _decode(self, ids: list[int]) -> str:
        return self._model.decode(ids)

    def _tokens(self) -> list[str]:
        return [self._model.id_to_token(i) or "" for i in range(self._size())]

    def _bytes(self) -> list[int]:
        # In the byte-level alphabet each character of a token is one byte.
        return [len(token) for token in self._tokens()]

    def _spelled(self) -> list[bytes]:
        return [spell(token) for token in self._tokens()]

    def word_starts(self) -> list[bool]:
        """A token that does not continue the letters or digits before it."""
        return [True] * len(self.specials) + [not continues(token) for token in self._tokens()]

    def _state(self) -> dict[str, Any]:
        return {"model": self._json} | ({"leading_space": True} if self.leading_space else {})


def spell(token: str) -> bytes:
    """The bytes of a byte-level token; of an added one its text."""
    alphabet = _alphabet()
    if not all(character in alphabet for character in token):
        return token.encode("utf-8", "surrogatepass")
    return bytes(alphabet[character] for character in token)


@functools.cache
def _alphabet() -> dict[str, int]:
    """The byte that each character of GPT-2's byte-level alphabet stands for: itself where it is
    printable, others in their order from U+0100 on."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = sorted(set(range(256)) - set(kept))
    return {chr(byte): byte for byte in kept} | {
        chr(256 + k): byte for k, byte in enumerate(others)
    }


def continues(token: str) -> bool:
    """Whether a byte-level token begins with an ASCII letter or digit, or within other letters.

    In the byte-level alphabet the 34 characters from U+0100 on stand for the bytes 0 to 32 and 127.
    """
    first = ord(token[0])
    return token[0].isalnum() if first < 128 else not 256 <= first < 256 + 34
