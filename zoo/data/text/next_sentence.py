"""Pairs of passages: does the second follow the first, or is it of another document?

Devlin et al., 2019, https://arxiv.org/abs/1810.04805, section 3.1 and appendix A.2. A pair takes
the place of a window: `<s> A </s> B </s>`. A and B follow each other in their document; in one half
of the pairs, B is replaced by as many tokens of another document. Either B begins where a sentence
or a line does, wherever there is one: neither lengths nor beginnings give the answer away. Where
documents are of several origins, the other one is of the same, so that style does not either.
Shapes: B pairs, T block size, L tokens of a split, V vocabulary.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.batch import Batch
from zoo.data.text.special_tokens import special_ids
from zoo.data.tokenizers.registry import EOT, Tokenizer
from zoo.errors import UserError
from zoo.phrases import plural
from zoo.rng import mix_seed

AROUND = 3  # tokens of a pair that are special
SHORTEST = 16  # tokens of a document from which it gives pairs, and of a block
ENDS, WIDE_ENDS = (b".", b"!", b"?"), tuple(c.encode() for c in "。！？…")
TRIES = 64  # places that are looked at for a B of another document
CHUNK = 2**24  # tokens that are looked at at once
Draw = Callable[[], float]  # the next number from 0 to below 1


class PairSource:
    """The pairs of a split; each epoch cuts its documents a little shifted, and draws again.

    Args:
        tokens: Of `TokenSource`, with the end of the text after each document.
        block_size: T, tokens of a pair with the special ones; a row has one of padding more, as
            windows have one to predict.
        tokenizer: Of the tokens.
        split: Its name, for messages.
        origins: Of the documents, those of one origin next to each other; none: all are of one.
    """

    def __init__(
        self,
        tokens: Any,
        block_size: int,
        tokenizer: Tokenizer,
        split: str,
        origins: Sequence[str] = (),
    ) -> None:
        self._tokens, self.block_size, self.split = tokens, block_size, split
        self.origins = origins if any(origins) else ()
        ids = special_ids(tokenizer, "data.next_sentence=true")
        self.room, self.ids = block_size - AROUND, ids
        self.eot = tokenizer.specials[EOT]
        self.ends, self.wide_ends, self.begins = sentence_marks(tokenizer)

    @cached_property
    def tokens(self) -> Any:
        """The ids, unsigned (L,)."""
        return self._tokens() if callable(self._tokens) else self._tokens

    @property
    def num_tokens(self) -> int:
        """Tokens of the split."""
        return len(self.tokens)

    @cached_property
    def documents(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """First token of each document and its length, and how many pairs end with it: int64.

        Raises:
            UserError: Fewer than two, so that none could be another one.
        """
        starts, lengths = self._all_documents
        starts, lengths = starts[lengths >= SHORTEST], lengths[lengths >= SHORTEST]
        if len(starts) < 2:
            is_train = self.split == "train"  # whose fraction is what the others leave
            fix = "" if is_train else f", or raise data.{self.split}_fraction"
            raise UserError(
                f"data.next_sentence=true: the {self.split} split has "
                f"{plural(len(starts), 'document')} of {SHORTEST} tokens or more, and a random "
                f"passage is one of another document; expected at least 2: give more files{fix}"
            )
        return starts, lengths, np.maximum(lengths // self.room, 1).cumsum()

    @cached_property
    def _all_documents(self) -> tuple[np.ndarray, np.ndarray]:
        """First token of each document and its length, int64."""
        stops = np.append(_places(self.tokens, self.eot), len(self.tokens))
        starts = np.append(0, stops[:-1] + 1)
        return starts, stops - starts

    def notes(self) -> list[str]:
        """How many documents are too short for pairs."""
        _, lengths = self._all_documents
        short = int(((lengths > 0) & (lengths < SHORTEST)).sum())
        if not short:
            return []
        return [
            f"{self.split}: {short:,} of {int((lengths > 0).sum()):,} documents have fewer than "
            f"{SHORTEST} tokens and give no pairs"
        ]

    @cached_property
    def _bounds(self) -> np.ndarray:
        """Tokens of each document and those before it."""
        return self.documents[1].cumsum()

    @cached_property
    def _others(self) -> np.ndarray:
        """Tokens before the first document that may replace each, and with the last: int64 (D, 2).

        Those of its origin; all, where it is the only one of it.
        """
        bounds, (_, lengths) = self._bounds, self._all_documents
        kept = np.flatnonzero(lengths >= SHORTEST)
        origins = np.array([self.origins[int(k)] if self.origins else "" for k in kept])
        news = np.flatnonzero(origins[1:] != origins[:-1]) + 1
        spans = np.tile([0, int(bounds[-1])], (len(kept), 1))
        for first, stop in pairwise([0, *news, len(kept)]):
            if stop - first > 1:
                spans[first:stop] = bounds[first - 1] if first else 0, bounds[stop - 1]
        return spans

    def __len__(self) -> int:
        return int(self.documents[2][-1])

    @property
    def nbytes(self) -> int:
        """Bytes of the tokens."""
        return self.tokens.nbytes

    def to(self, device: torch.device) -> "PairSource":
        """The same: pairs are put together on the CPU."""
        return self

    def fetch(self, index: Tensor, epoch: Tensor) -> Batch:
        """Pairs number `index` (int64 (B,)), as cut in `epoch` (B,).

        Returns:
            `input` (B, T + 1), `types` (B, T + 1): 1 for B and the token after it; `follows` (B,):
            whether B follows A.
        """
        input = np.full((len(index), self.block_size + 1), self.ids[0], np.int32)
        types = np.zeros_like(input)
        follows = torch.ones(len(index), dtype=torch.int32)
        _, start, separator = self.ids
        for k, (number, lap) in enumerate(zip(index.tolist(), epoch.tolist(), strict=True)):
            draw = Random(mix_seed(number, lap)).random
            document, window = self._window(number, lap)
            middle, begins = self._middle(window, draw)
            first, second = window[:middle], window[middle:]
            if draw() < 0.5:
                second = self._other(document, len(second), begins, draw)
                follows[k] = 0
            row = [start, *first, separator, *second, separator]
            input[k, : len(row)] = row
            types[k, len(first) + 2 : len(row)] = 1
        columns = {"input": torch.from_numpy(input), "types": torch.from_numpy(types)}
        return columns | {"follows": follows}

    def _window(self, number: int, epoch: int) -> tuple[int, np.ndarray]:
        """A document, and the tokens of it that a pair is cut from."""
        starts, lengths, last = self.documents
        document = int(np.searchsorted(last, number, side="right"))
        within = number - (int(last[document - 1]) if document else 0)
        shift = mix_seed(epoch) % self.room if epoch else 0
        latest = max(0, int(lengths[document]) - self.room)
        start = int(starts[document]) + min(within * self.room + shift, latest)
        size = min(self.room, int(lengths[document]))
        return document, self._read(start, start + size)

    def _read(self, start: int, stop: int) -> np.ndarray:
        return np.asarray(self.tokens[start:stop]).astype(np.int64)

    def _middle(self, window: np.ndarray, draw: Draw) -> tuple[int, bool]:
        """Where B begins, and whether that is at the beginning of a sentence."""
        quarter = len(window) // 4
        places = self._beginnings(window)
        places = places[(places >= quarter) & (places <= len(window) - quarter)]
        if not len(places):
            return len(window) // 2, False
        return int(places[int(draw() * len(places))]), True

    def _beginnings(self, tokens: np.ndarray) -> np.ndarray:
        """Places, from 1 on, where a sentence or a line begins."""
        before, after = tokens[:-1], tokens[1:]
        found = self.wide_ends[before] | (self.ends[before] & self.begins[after])
        return np.flatnonzero(found) + 1

    def _other(self, document: int, size: int, begins: bool, draw: Draw) -> np.ndarray:
        """`size` tokens of another document, from the beginning of a sentence on; of its origin,
        if one that long is found there."""
        starts, lengths, _ = self.documents
        bounds, place = self._bounds, np.zeros(0, np.int64)
        low, high = self._others[document].tolist()
        for _ in range(TRIES):
            drawn = low + int(draw() * (high - low))
            other = int(np.searchsorted(bounds, drawn, side="right"))
            if other == document or lengths[other] < size:
                continue
            start, stop = int(starts[other]), int(starts[other] + lengths[other])
            first = min(drawn - int(bounds[other] - lengths[other]) + start, stop - size)
            if not begins or first == start:
                return self._read(first, first + size)
            near = self._read(first - 1, min(first - 1 + self.room, stop - size + 1))
            if len(found := self._beginnings(near)):
                first += int(found[0]) - 1
                return self._read(first, first + size)
            place = self._read(first, first + size)
        if len(place):
            return place
        longest = max((k for k in range(len(starts)) if k != document), key=lengths.__getitem__)
        return self._read(int(starts[longest]), int(starts[longest]) + min(size, lengths[longest]))


def _places(tokens: Any, number: int) -> np.ndarray:
    """Where an id stands, int64; of an array that may be larger than memory."""
    parts = range(0, len(tokens), CHUNK)
    found = [start + np.flatnonzero(tokens[start : start + CHUNK] == number) for start in parts]
    return np.concatenate([np.zeros(0, np.int64), *found])


def sentence_marks(tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each id, bool (V,): may a sentence end with it if a space follows, does one end with it
    in any case, does it begin with a space."""
    spelled: Sequence[bytes] = tokenizer.spelled()
    special = set(tokenizer.specials.values())
    texts = [b"" if number in special else text for number, text in enumerate(spelled)]
    ends = [text.rstrip().endswith(ENDS) for text in texts]
    wide = [b"\n" in text or text.rstrip().endswith(WIDE_ENDS) for text in texts]
    begins = [text[:1].isspace() for text in texts]
    return np.array(ends), np.array(wide), np.array(begins)
