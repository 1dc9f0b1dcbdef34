"""Words: how a text is cut into them, and a vocabulary of the frequent ones."""

import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from zoo.data.tokenizers.base import UNKNOWN, Ids, Tokenizer
from zoo.data.tokenizers.chinese import JIEBA, Cut, has_jieba, jieba_cut
from zoo.data.tokenizers.scripts import (
    SAMPLE,
    fold,
    is_han,
    is_unspaced,
    pieces_of,
    unspaced_script,
    words_of,
)

RULE = 2  # of cutting; 1 cut words at every combining mark
GIVEN = 3  # words come as they are, with spaces between: nothing is cut, folded or dropped
_RULE_1 = re.compile(r"[^\W\d_]+")  # runs of letters


class WordTokenizer(Tokenizer):
    """Lower-cased words; everything else is dropped, rare words become `<unk>`, id 0.

    A word is letters with their combining marks, composed (NFC). Chinese is cut into words by
    `jieba` where that is installed; else it is taken character by character, as Japanese, Thai and
    other scripts without spaces are.

    Args:
        words: The vocabulary.
        specials: Names of the special tokens besides `<unk>`.
        rule: How words are cut: 1 as runs of letters, in the files of older runs, 2, or `GIVEN`.
        segmenter: "jieba" where it cuts Chinese.
    """

    kind = "word"

    def __init__(
        self,
        words: Sequence[str],
        specials: Sequence[str] = (),
        rule: int = 1,
        segmenter: str | None = None,
    ) -> None:
        super().__init__([UNKNOWN, *(s for s in specials if s != UNKNOWN)])
        self.words, self.rule, self.segmenter = list(words), rule, segmenter
        self._ids = {word: i for i, word in enumerate(self.words)}
        self._cut = cutter(rule, segmenter)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int | None = None,
        min_count: int = 1,
        specials: Sequence[str] = (),
        rule: int = RULE,
    ) -> "WordTokenizer":
        """Words seen at least `min_count` times, most frequent first, at most `vocab_size` ids."""
        script, texts = _script_of(texts) if rule == RULE else (None, iter(texts))
        segmenter = JIEBA if script == "Chinese" and has_jieba() else None
        cut = cutter(rule, segmenter)
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(cut(text))
        limit = None if vocab_size is None else max(vocab_size - 1 - len(specials), 0)
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        words = [word for word, count in ranked if count >= min_count]
        return cls(words[:limit], specials, rule, segmenter)

    @property
    def may_lack(self) -> bool:
        """Rare words are `<unk>`."""
        return True

    def count_unknown(self, text: str) -> tuple[int, int]:
        """How many words of a text the vocabulary lacks, and of how many."""
        words = self._cut(text)
        return sum(word not in self._ids for word in words), len(words)

    def notes(self) -> list[str]:
        """How words were told apart in a script without spaces."""
        script = unspaced_script(self.words) if self.rule == RULE else None
        if script is None:
            return []
        if self.segmenter:
            return [f"{script} is cut into words by {self.segmenter}"]
        remedy = ""
        if script == "Chinese":
            remedy = "; for words: pip install --editable '.[zh]'"
        return [f"{script} has no spaces: each character is a word{remedy}"]

    def _size(self) -> int:
        return len(self.words)

    def _encode(self, text: str) -> Ids:
        get = self._ids.get
        ids = [get(word, -len(self.specials)) for word in self._cut(text)]
        return np.array(ids, np.int32)  # the base class adds len(specials): unknown becomes 0

    def decode(self, ids: Iterable[int]) -> str:
        """The words with single spaces between; unknown ones as `<unk>`."""
        first, names = len(self.specials), list(self.specials)
        shown = [i for i in map(int, ids) if i == 0 or i >= first]
        return " ".join(names[0] if i == 0 else self.words[i - first] for i in shown)

    def token(self, number: int) -> str:
        """The word."""
        first = len(self.specials)
        return list(self.specials)[number] if number < first else self.words[number - first]

    def _decode(self, ids: list[int]) -> str:
        return " ".join(self.words[i] for i in ids)

    def _bytes(self) -> list[int]:
        # With the space after it, in a script that has spaces.
        spaces = [self.rule == 1 or not is_unspaced(word) for word in self.words]
        sizes = (len(word.encode("utf-8", "surrogatepass")) for word in self.words)
        return [size + space for size, space in zip(sizes, spaces, strict=True)]

    def _spelled(self) -> list[bytes]:
        return [f" {word}".encode("utf-8", "surrogatepass") for word in self.words]

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = {"words": self.words}
        if self.rule != 1:
            state["rule"] = self.rule
        return state | ({"segmenter": self.segmenter} if self.segmenter else {})


def cutter(rule: int, segmenter: str | None = None) -> Cut:
    """The function that cuts a text into words.

    Raises:
        UserError: A rule of a later version; a segmenter that is not installed.
    """
    if rule == 1:
        return lambda text: _RULE_1.findall(text.lower())
    if rule == GIVEN and segmenter is None:
        return str.split
    if rule != RULE or segmenter not in (None, JIEBA):
        raise ValueError(f"words are cut by rule {rule}, {segmenter}; this version knows {RULE}")
    segment = jieba_cut("the vocabulary's Chinese words were cut by") if segmenter else list
    return functools.partial(_cut, segment=segment)


def _cut(text: str, segment: Cut) -> list[str]:
    text = fold(text)
    words = words_of(text)
    if text.isascii():
        return words
    pieces = chain.from_iterable(map(pieces_of, words))
    return [word for piece in pieces for word in (segment(piece) if is_han(piece) else [piece])]


def _script_of(texts: Iterable[str]) -> tuple[str | None, Iterator[str]]:
    """The script of texts, if it has no spaces; and the same texts, of which some were read."""
    stream, first, size = iter(texts), [], 0
    for text in stream:
        first.append(text)
        size += len(text)
        if size >= SAMPLE:
            break
    return unspaced_script(first), chain(first, stream)
