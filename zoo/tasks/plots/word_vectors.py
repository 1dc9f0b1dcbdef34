"""What word vectors have learnt: nearest words, sums of words, a map of frequent words."""

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.errors import closest_match as nearest_name
from zoo.inference.neighbours import combine, nearest, plane
from zoo.tasks.base import PreviewWriter
from zoo.tasks.plots.model import new_figure

LISTED, MAPPED = 8, 60  # words whose neighbours are listed, and words on the map, in a preview
NAMED = 6  # neighbours of each
SHORTEST = 6  # letters; shorter words are seldom telling
TERM = re.compile(r"\s*([+-]?)\s*([^\s+-]+)\s*")


class WordNeighbours:
    """Answers in words.

    Args:
        counts: How often each id occurs in the training split, int64 (V,); 0 for what is no word.
        tokenizer: Ids to words and back.
        sample: Words more frequent than this share of the text say little.
    """

    def __init__(self, counts: Tensor, tokenizer: Any, sample: float) -> None:
        self.tokenizer = tokenizer
        self.unseen = counts == 0  # (V,)
        self._counts, self._sample = counts, sample

    def ranked(self) -> list[int]:
        """The ids of all words, the most frequent first."""
        order = self._counts.argsort(descending=True, stable=True).tolist()
        return [i for i in order if not self.unseen[i]]

    def telling(self, most: int) -> list[int]:
        """The most frequent words with a meaning: neither very frequent ones nor short ones."""
        limit = (self._sample or 1) * self._counts.sum()
        long = (i for i in self.ranked() if len(self.tokenizer.token(i)) >= SHORTEST)
        return [i for i in long if self._counts[i] <= limit][:most] or self.ranked()[:most]

    def vectors(self, model: nn.Module) -> Tensor:
        """(V, D), where the model's parameters are."""
        device = next(model.parameters()).device
        with torch.no_grad():
            return model(torch.arange(len(self.unseen), device=device)).float()

    def draw(self, model: nn.Module, writer: PreviewWriter) -> None:
        """Neighbours of a few words as text, and a map of more."""
        vectors = self.vectors(model)
        lines = []
        for i in self.telling(LISTED):
            found = self._nearest(vectors, [(1.0, i)], NAMED)
            said = ", ".join(f"{word} {cosine:.2f}" for word, cosine in found)
            lines.append(f"**{self.tokenizer.token(i)}**: {said}")
        writer.text("neighbours", "\n\n".join(lines))
        writer.figure("map", self._map(vectors))

    def _map(self, vectors: Tensor) -> Any:
        words = self.telling(MAPPED)
        places = plane(vectors[words]).cpu()
        figure = new_figure(8, 7, "Frequent words: the first two principal components")
        axes = figure.add_subplot()
        axes.scatter(places[:, 0], places[:, 1], s=6, color="#3b6fb6")
        for word, place in zip(words, places.tolist()):
            axes.text(*place, f" {self.tokenizer.token(word)}", size=8, va="center", clip_on=True)
        axes.margins(x=0.1)
        axes.set_xticks([])
        axes.set_yticks([])
        return figure

    def _nearest(
        self, vectors: Tensor, terms: list[tuple[float, int]], top: int
    ) -> list[tuple[str, float]]:
        """Words and cosines; the words asked about are not among them."""
        hidden = self.unseen.to(vectors.device, copy=True)
        hidden[[number for _, number in terms]] = True
        cosines, found = nearest(vectors, combine(vectors, terms)[None], top, hidden)
        pairs = zip(found[0].tolist(), cosines[0].tolist())
        return [(self.tokenizer.token(i), c) for i, c in pairs if not hidden[i]]

    def of_text(self, model: nn.Module, text: Tensor, top: int = NAMED) -> list[str]:
        """The words nearest to the mean of a text, int64 (T,); none for a text without words."""
        terms = [(1.0, i) for i in text.tolist() if not self.unseen[i]]
        return [w for w, _ in self._nearest(self.vectors(model), terms, top)] if terms else []

    def answers(self, model: nn.Module, question: str, top: int) -> Iterator[dict[str, Any]]:
        """For each part between commas, a row for each word found."""
        known = int((~self.unseen).sum())
        if not 1 <= top <= known:
            raise UserError(f"top={top}: expected 1 to {known}, the words of the vocabulary")
        asked = [(part.strip(), self._terms(part)) for part in question.split(",")]
        vectors = self.vectors(model)
        for name, terms in asked:
            for word, cosine in self._nearest(vectors, terms, top):
                yield {"input": name, "word": word, "cosine": cosine}

    def _terms(self, text: str) -> list[tuple[float, int]]:
        """`king - man + woman` as factors and ids.

        Raises:
            UserError: No word, no sign between two words, an unknown word.
        """
        terms: list[tuple[float, int]] = []
        place = 0
        while place < len(text) or not terms:
            found = TERM.match(text, place)
            if found is None or (terms and not found[1]):
                raise UserError(
                    f"input: got '{text.strip()}', expected a word, or words with + or - between, "
                    "as in input='king - man + woman'; several questions have commas between"
                )
            terms.append((-1.0 if found[1] == "-" else 1.0, self._number(found[2])))
            place = found.end()
        return terms

    def _number(self, word: str) -> int:
        ids = self.tokenizer.encode(word).tolist()
        if len(ids) == 1 and not self.unseen[ids[0]]:
            return ids[0]
        words = [self.tokenizer.token(i) for i in (~self.unseen).nonzero().flatten().tolist()]
        guess = nearest_name(word.lower(), words)
        hint = f"did you mean '{guess}'?" if guess else "no word is spelled nearly so"
        raise UserError(f"unknown word '{word}'; {hint} (the vocabulary has {len(words):,} words)")
