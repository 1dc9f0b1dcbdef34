"""The tokenizers that published weights come with: byte pairs, word pieces, SentencePiece's."""

import functools
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from zoo.data.tokenizers.base import BOS, EOS, EOT, MASK, PAD, Ids, Tokenizer, check_whole
from zoo.data.tokenizers.bpe import continues, spell
from zoo.data.tokenizers.scripts import is_han

NAMES = {  # our name: published names, of which the first that exists is used
    EOT: ("<|endoftext|>", "[SEP]", "</s>"),
    MASK: ("[MASK]", "<mask>"),
    PAD: ("[PAD]", "<pad>"),
    BOS: ("[CLS]", "<s>"),
    EOS: ("[SEP]", "</s>"),
}
SPACE = "\u2581"  # before a word, in SentencePiece's vocabularies
BYTE = re.compile("<0x[0-9A-F]{2}>")  # a token of theirs that is one byte
START = 1000  # special tokens are among the first ids, or at the very end


class PublishedTokenizer(Tokenizer):
    """One of Hugging Face's `tokenizers`, with its own ids; special tokens may have any id.

    Args:
        model: The JSON of a `tokenizers.Tokenizer`.
        stated: Our names of special tokens, and the tokens that its settings state for them.
        ends: Ids that end a generated text, as its settings state.
    """

    kind = "published"

    def __init__(
        self,
        model: dict[str, Any],
        stated: dict[str, str] | None = None,
        ends: Sequence[int] = (),
    ) -> None:
        from tokenizers import Tokenizer as Model

        self._json, self._stated, self.ends = model, stated or {}, list(ends)
        try:
            self._model = Model.from_str(json.dumps(model))
        except Exception as error:  # the package raises nothing narrower
            raise ValueError(str(error)) from error
        self._model.encode_special_tokens = True  # no text is ever encoded as one of them
        self._model.no_padding()
        self._model.no_truncation()
        super().__init__()
        names = {n: (self._stated.get(n, usual[0]), *usual) for n, usual in NAMES.items()}
        ids = {name: self._first(published) for name, published in names.items()}
        self.specials = {name: number for name, number in ids.items() if number is not None}
        hidden = [t["id"] for t in model.get("added_tokens", []) if t.get("special")]
        self._hidden = {*hidden, *self.specials.values()}
        inner = model.get("model") or {}
        self._wordpiece = inner.get("type") == "WordPiece"
        self._byte_level = '"ByteLevel"' in json.dumps(
            [model.get("pre_tokenizer"), model.get("decoder")]
        )
        self._unknown: int | None = inner.get("unk_id")  # of Unigram; others have its text
        if inner.get("unk_token") is not None:
            self._unknown = self._model.token_to_id(inner["unk_token"])

    def _first(self, names: Iterable[str]) -> int | None:
        ids = (self._model.token_to_id(name) for name in names)
        return next((number for number in ids if number is not None), None)

    @property
    def vocab_size(self) -> int:
        """How many ids there are, special tokens included."""
        return 1 + max(self._model.get_vocab(with_added_tokens=True).values())

    @property
    def first_id(self) -> int:
        """Ids below it are special tokens, or unused."""
        return 1 + max((number for number in self._hidden if number < START), default=-1)

    def encode(self, text: str) -> Ids:
        """Ids of a text, int32 (N,), without special tokens."""
        check_whole(text)
        return np.array(self._model.encode(text, add_special_tokens=False).ids, np.int32)

    def controls(self) -> dict[str, int]:
        """Ids of all special tokens by their published names."""
        names = [t["content"] for t in self._json.get("added_tokens", []) if t.get("special")]
        ids = map(self._model.token_to_id, names)
        return {name: number for name, number in zip(names, ids) if number is not None}

    def encode_pieces(self, pieces: Sequence[str | int]) -> Ids:
        """As the published program encodes the whole text: what follows a special token may have
        other ids than the same text alone (`▁` before it or not)."""
        model, aliases, ids = self._aliased
        text = "".join(aliases[p] if isinstance(p, int) else p for p in pieces)
        check_whole(text)
        return ids[model.encode(text, add_special_tokens=False).ids]

    @functools.cached_property
    def _aliased(self) -> tuple[Any, dict[int, str], Ids]:
        """The same model with other names for its special tokens, which no text can hold; those
        names by id; and its ids to the published ones."""
        from tokenizers import Tokenizer as Model

        controls = self.controls()
        aliases = {number: f"\ufdd1{k}\ufdd2" for k, number in enumerate(controls.values())}
        names = {name: aliases[number] for name, number in controls.items()}
        added = [
            token | {"content": names.get(token["content"], token["content"])}
            for token in self._json.get("added_tokens", [])
        ]
        json_ = self._json | {"added_tokens": added, "post_processor": None}
        model = Model.from_str(json.dumps(json_))
        model.no_padding()
        model.no_truncation()
        # Tokens that are in no vocabulary are numbered anew.
        table = np.arange(1 + max(model.get_vocab(with_added_tokens=True).values()), dtype=np.int32)
        for token in self._json.get("added_tokens", []):
            name = token["content"]
            here, there = model.token_to_id(names.get(name, name)), self._model.token_to_id(name)
            if here is not None and there is not None:
                table[here] = there
        return model, aliases, table

    @property
    def begin_id(self) -> int | None:
        """Of a tokenizer that puts one token before a text and none after it."""
        return self._begin_id

    @functools.cached_property
    def _begin_id(self) -> int | None:
        whole, bare = (self._model.encode("a", add_special_tokens=s).ids for s in (True, False))
        return whole[0] if whole[1:] == bare else None

    @property
    def unknown_id(self) -> int | None:
        """As the file states it."""
        return self._unknown

    @property
    def may_lack(self) -> bool:
        """Word pieces may be `[UNK]`; other kinds leave out what they lack."""
        return True

    def count_unknown(self, text: str) -> tuple[int, int]:
        """How many letters and digits of a text are in no known token, and of how many.

        Marks and signs do not count: many vocabularies leave them out by design.
        """
        encoded = self._model.encode(text, add_special_tokens=False)
        known = np.zeros(len(text) + 1, bool)
        for number, (start, stop) in zip(encoded.ids, encoded.offsets, strict=True):
            if number != self._unknown:
                known[start:stop] = True
        letters = [i for i, character in enumerate(text) if character.isalnum()]
        return int((~known[letters]).sum()), len(letters)

    @property
    def wraps(self) -> bool:
        """Of word pieces alone."""
        return self._wordpiece and super().wraps

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids; special tokens are left out."""
        return self._model.decode([i for i in map(int, ids) if i not in self._hidden])

    def token(self, number: int) -> str:
        """One id as visible text."""
        if number in self._hidden or self._wordpiece:
            return self._model.id_to_token(number) or "<unused>"
        text = self._model.decode([number])
        return text.replace(" ", "·").replace("\n", "↵").replace("\t", "⇥")

    def token_bytes(self) -> list[int]:
        """How many UTF-8 bytes each id stands for; approximate for word pieces."""
        return [self._size_of(number) for number in range(self.vocab_size)]

    def _size_of(self, number: int) -> int:
        token = self._model.id_to_token(number)
        if token is None or number in self._hidden:
            return 0
        if self._byte_level:
            return len(token)  # each character of it stands for a byte
        if BYTE.fullmatch(token):
            return 1
        if self._wordpiece:
            return len(token.removeprefix("##").encode())
        return len(token.replace(SPACE, " ").encode())

    def word_starts(self) -> list[bool]:
        """Whether each id begins a word."""
        tokens = (self._model.id_to_token(number) or "" for number in range(self.vocab_size))
        if self._wordpiece:
            return [not token.startswith("##") for token in tokens]
        if self._byte_level:
            return [not token or not continues(token) for token in tokens]
        return [not (token[:1].isalnum() or BYTE.fullmatch(token)) for token in tokens]

    def spelled(self) -> list[bytes]:
        """The UTF-8 bytes of each id."""
        return [self._spell(number) for number in range(self.vocab_size)]

    def _spell(self, number: int) -> bytes:
        token = self._model.id_to_token(number)
        if token is None or number in self._hidden:
            return b"\n"
        if self._byte_level:
            return spell(token)
        if BYTE.fullmatch(token):
            return bytes([int(token[3:5], 16)])
        if self._wordpiece:
            begins = not token.startswith("##") and not is_han(token[:1])
            return (" " * begins + token.removeprefix("##")).encode()
        return token.replace(SPACE, " ").encode()

    def _state(self) -> dict[str, Any]:
        optional = {"stated": self._stated, "ends": self.ends}
        return {"model": self._json} | {name: value for name, value in optional.items() if value}

    def to_json(self) -> dict[str, Any]:
        """Everything that `load_tokenizer` needs."""
        return {"kind": self.kind, **self._state()} | self._chat()
