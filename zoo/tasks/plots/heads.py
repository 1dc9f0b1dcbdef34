"""Attention between words instead of tokens, and the heads that differ most.

Shapes: L layers times heads, T query tokens, S key tokens, R and C words on either side.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

SPACES = "·↵⇥"  # as tokenizers show a space, a line end, a tab
ENDS = ".!?。！？"  # of sentences
LEAST_WORDS = 3  # with fewer in a text (DNA, one long word), its tokens stand for words


def words_of(ids: Sequence[int], tokenizer: Any, most: int) -> list[tuple[str, int, int]]:
    """The first words of a text: each with its first token and the one after its last.

    Spaces belong to the word after them; a special token, a mark, a Chinese character is a word of
    its own.

    Args:
        ids: Of the tokens.
        tokenizer: Its `token(id)` names them.
        most: Words.
    """
    names = [tokenizer.token(i) for i in ids]
    words: list[tuple[str, int, int]] = []
    for k, name in enumerate(names):
        if k and not _begins_word(names[k - 1], name):
            text, start, _ = words.pop()
            words.append((text + name.removeprefix("##"), start, k + 1))
        else:
            words.append((name, k, k + 1))
    special = set(getattr(tokenizer, "specials", ()))
    written = sum(text not in special for text, *_ in words)
    if getattr(tokenizer, "kind", "") == "word" or written < LEAST_WORDS:
        words = [(name, k, k + 1) for k, name in enumerate(names)]
    return [(text.strip(SPACES) or "↵", start, end) for text, start, end in words[:most]]


def _begins_word(before: str, name: str) -> bool:
    if name.startswith("##"):
        return False
    if before[-1:] in SPACES:
        return before.strip(SPACES) != ""  # spaces alone go with what follows
    return name[:1] in SPACES or not (_is_letter(before[-1:]) and _is_letter(name[:1]))


def _is_letter(character: str) -> bool:
    """Of a script that writes words apart."""
    narrow = unicodedata.east_asian_width(character or " ") not in "WF"
    return narrow and (character.isalnum() or character in "'_")


def sentence_start(ids: Sequence[int], tokenizer: Any) -> int:
    """Where the first whole sentence begins, if at least half the text is after it; else 0."""
    names = [tokenizer.token(i) for i in ids]
    for k, name in enumerate(names[: len(names) // 2]):
        after = names[k + 1] if k + 1 < len(names) else ""
        if "↵" in name and "↵" not in after:
            return k + 1
        if name.strip(SPACES)[-1:] in ENDS and name.strip(SPACES) and after[:1] in SPACES:
            return k + 1
    return 0


def between_words(
    weights: Tensor, queries: Sequence[tuple[str, int, int]], keys: Sequence[tuple[str, int, int]]
) -> Tensor:
    """Weights (L, T, S) of tokens to (L, R, C) of words.

    The weight of a word is the sum of those of its tokens, and a word's view is the mean of its
    tokens' views (Clark et al., 2019, arXiv:1906.04341), so that a row still sums to one.
    """
    rows = torch.stack([weights[:, start:end].mean(1) for _, start, end in queries], 1)
    return torch.stack([rows[:, :, start:end].sum(2) for _, start, end in keys], 2)


def most_different(weights: Tensor, number: int) -> list[int]:
    """The heads that differ most, as indices in order.

    The distance of two heads is the total variation of their rows (half the sum of absolute
    differences), the mean over the queries: 0 for equal ones, 1 for heads that never look at the
    same word. The two farthest apart come first, then always the head farthest from those chosen.

    Args:
        weights: (L, R, C), rows that sum to one.
        number: Of heads to choose.
    """
    flat = weights.flatten(1).double()
    distance = torch.cdist(flat, flat, p=1) / (2 * weights.shape[1])  # (L, L)
    chosen = [int(distance.amax(1).argmax())]
    while len(chosen) < min(number, len(weights)):
        nearest = distance[:, chosen].amin(1)
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
    return sorted(chosen)
