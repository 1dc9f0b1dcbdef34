"""Word vectors: nearest neighbours, analogies, a map of frequent words.

Shapes: V vocabulary, D width, T tokens.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.errors import closest_match as nearest_name
from zoo.inference.neighbours import combine, nearest, plane
from zoo.tasks.base import PreviewWriter
from zoo.tasks.capabilities import Points
from zoo.tasks.markdown import cell
from zoo.tasks.plots.card import LINE, TOP, WIDTH, fit, new_card, new_figure, width_of, write

LISTED, MAPPED = 8, 60  # words whose neighbours are listed, and words on the map, in a preview
PROJECTED = 2000  # words in the projector
NAMED = 6  # neighbours of each
MIN_LETTERS = 6  # shorter words are mostly function words
MIN_CHARACTERS = 2  # of Chinese and other scripts without capitals
MOST_ON_CARD = 16
MAP = (
    "Frequent words by the two directions in which their vectors vary most. Words that stand close "
    "together tend to be used alike; PROJECTOR shows all directions."
)
COMMA = re.compile("[,\uff0c]")  # also the Chinese one
TERM = re.compile(r"\s*([+-]?)\s*([^\s+-]+)\s*")


def _is_long(word: str) -> bool:
    has_capitals = word.upper() != word.lower()
    return len(word) >= (MIN_LETTERS if has_capitals else MIN_CHARACTERS)


def map_card(names: Sequence[str], points: Tensor) -> Any:
    """The words among the first, which are the most frequent, whose names do not overlap.

    Args:
        names: Of the words.
        points: (N, 2).
    """
    low, high = points.amin(0), points.amax(0)
    across, up = ((points - low) / (high - low).clamp(min=1e-12)).unbind(1)
    room = 200 - TOP - 2 * LINE
    boxes: list[tuple[float, float, float]] = []  # left, top, right
    chosen: list[int] = []
    for k, name in enumerate(names):
        wide = width_of(fit(name, 90))
        left, top = 4 + float(across[k]) * (WIDTH - 8 - wide), TOP + (1 - float(up[k])) * room
        taken = (
            left < right + 4 and left + wide + 4 > start and abs(top - y) < LINE
            for start, y, right in boxes
        )  # fmt: skip
        if len(chosen) < MOST_ON_CARD and not any(taken):
            boxes.append((left, top, left + wide))
            chosen.append(k)
    figure = new_card(f"{len(chosen)} frequent words, similar ones close together")
    for k, (left, top, _) in zip(chosen, boxes):
        write(figure, left, top, fit(names[k], 90), color="#1f3f77")
    return figure


class WordNeighbours:
    """Neighbours of words and of sums of words.

    Args:
        counts: Occurrences of each id in the training split, int64 (V,); 0 for special tokens.
        tokenizer: Ids to words and back.
        sample: Words above this frequency are function words; 0 for no limit.
    """

    def __init__(self, counts: Tensor, tokenizer: Any, sample: float) -> None:
        self.tokenizer = tokenizer
        self.unseen = counts == 0  # (V,)
        self._counts, self._sample = counts, sample

    def ranked(self) -> list[int]:
        """The ids of all words, the most frequent first."""
        order = self._counts.argsort(descending=True, stable=True).tolist()
        return [i for i in order if not self.unseen[i]]

    def content_words(self, most: int) -> list[int]:
        """The most frequent content words: neither very frequent nor short."""
        limit = (self._sample or 1) * self._counts.sum()
        long = (i for i in self.ranked() if _is_long(self.tokenizer.token(i)))
        return [i for i in long if self._counts[i] <= limit][:most] or self.ranked()[:most]

    def vectors(self, model: nn.Module) -> Tensor:
        """Vectors of all words, (V, D), on the model's device."""
        device = next(model.parameters()).device
        with torch.no_grad():
            return model(torch.arange(len(self.unseen), device=device)).float()

    def points(self, model: nn.Module, most: int = PROJECTED) -> Points:
        """The vectors of the most frequent words, with the number of times that each occurs."""
        ids = self.ranked()[:most]
        words = [self.tokenizer.token(i) for i in ids]
        counts = list(map(str, self._counts[ids].tolist()))
        vectors = self.vectors(model)[ids].cpu()
        return Points("words", vectors, {"word": words, "occurrences": counts})

    def draw(self, model: nn.Module, writer: PreviewWriter) -> None:
        """Write the neighbours of a few words as text, and a map of more words."""
        vectors = self.vectors(model)
        lines = []
        for i in self.content_words(LISTED):
            neighbours = self._nearest(vectors, [(1.0, i)], NAMED)
            listed = ", ".join(f"{cell(word)} {cosine:.2f}" for word, cosine in neighbours)
            lines.append(f"**{cell(self.tokenizer.token(i))}**: {listed}")
        writer.text("neighbours", "\n\n".join(lines))
        words = self.content_words(MAPPED)
        points = plane(vectors[words]).cpu()
        names = [self.tokenizer.token(word) for word in words]
        writer.figure("map", map_card(names, points), self._map(names, points), MAP)

    def _map(self, names: Sequence[str], points: Tensor) -> Any:
        figure = new_figure(8, 7, "Frequent words: first two principal components")
        axes = figure.add_subplot()
        axes.scatter(points[:, 0], points[:, 1], s=6, color="#3b6fb6")
        for name, point in zip(names, points.tolist()):
            axes.text(*point, f" {name}", size=8, va="center", clip_on=True)
        axes.margins(x=0.1)
        axes.set_xticks([])
        axes.set_yticks([])
        return figure

    def _nearest(
        self, vectors: Tensor, terms: list[tuple[float, int]], top: int
    ) -> list[tuple[str, float]]:
        """Words and cosines, without the words of the query."""
        excluded = self.unseen.to(vectors.device, copy=True)
        excluded[[number for _, number in terms]] = True
        cosines, ids = nearest(vectors, combine(vectors, terms)[None], top, excluded)
        pairs = zip(ids[0].tolist(), cosines[0].tolist())
        return [(self.tokenizer.token(i), cosine) for i, cosine in pairs if not excluded[i]]

    def of_text(self, model: nn.Module, text: Tensor, top: int = NAMED) -> list[str]:
        """The words nearest to the mean of a sequence, int64 (T,); none if it has no words."""
        terms = [(1.0, i) for i in text.tolist() if not self.unseen[i]]
        return [w for w, _ in self._nearest(self.vectors(model), terms, top)] if terms else []

    def query(self, model: nn.Module, text: str, top: int) -> Iterator[dict[str, Any]]:
        """For each query of a comma-separated list, rows of the nearest words and their cosines.

        Raises:
            UserError: An unknown word, words without a sign between them, `top` out of range.
        """
        known = int((~self.unseen).sum())
        if not 1 <= top <= known:
            raise UserError(f"top={top}: expected 1 to {known}, the words of the vocabulary")
        queries = [(query.strip(), self._terms(query)) for query in COMMA.split(text)]
        vectors = self.vectors(model)
        for name, terms in queries:
            for word, cosine in self._nearest(vectors, terms, top):
                yield {"input": name, "word": word, "cosine": cosine}

    def _terms(self, text: str) -> list[tuple[float, int]]:
        """`king - man + woman` as factors and ids.

        Raises:
            UserError: No word, no sign between two words, an unknown word.
        """
        terms: list[tuple[float, int]] = []
        start = 0
        while start < len(text) or not terms:
            match = TERM.match(text, start)
            if match is None or (terms and not match[1]):
                raise UserError(
                    f"input: got '{text.strip()}', expected a word, or words with + or - between, "
                    "as in input='king - man + woman'; separate several queries by commas"
                )
            terms.append((-1.0 if match[1] == "-" else 1.0, self._number(match[2])))
            start = match.end()
        return terms

    def _number(self, word: str) -> int:
        ids = self.tokenizer.encode(word).tolist()
        if len(ids) == 1 and not self.unseen[ids[0]]:
            return ids[0]
        if len(ids) > 1:
            parts = ", ".join(self.tokenizer.token(i) for i in ids)
            raise UserError(f"input: '{word}' is {len(ids)} words to this vocabulary: {parts}")
        words = [self.tokenizer.token(i) for i in (~self.unseen).nonzero().flatten().tolist()]
        guess = nearest_name(word.lower(), words)
        hint = f"did you mean '{guess}'?" if guess else "no word is spelled similarly"
        raise UserError(f"unknown word '{word}'; {hint} (the vocabulary has {len(words):,} words)")
