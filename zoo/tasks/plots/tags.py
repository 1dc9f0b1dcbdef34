"""Sentences whose words have the colour of their predicted tag; wrong ones are marked."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from zoo.tasks.plots.card import (
    CLASS_COLOURS,
    HEIGHT,
    LINE,
    SMALL,
    TOP,
    WIDTH,
    new_card,
    shorten,
    width_of,
    write,
)

TaggedWord = tuple[str, int, int]  # a word, its true tag, its predicted tag
CAPTION = (
    "Words in the colour of the tag that is predicted; those on red ground are wrong, and in the "
    "larger picture their true tag stands behind them, in its colour."
)
WRONG = {"facecolor": "#ffd5d5", "edgecolor": "none", "pad": 0.6}
LONGEST = 16  # letters of a word that are shown
SCALE = 2.6  # of the larger picture, whose letters are as large


def card(sentences: Sequence[Sequence[TaggedWord]], names: Sequence[str]) -> Any:
    """The first sentences, as far as they fit."""
    every = [word for sentence in sentences for word in sentence]
    wrong = sum(true != guess for _, true, guess in every)
    picture = new_card(f"{wrong} of {len(every)} words are wrong")
    _write_words(picture, sentences, names, (WIDTH, HEIGHT), SMALL, named=False)
    return picture


def figure(sentences: Sequence[Sequence[TaggedWord]], names: Sequence[str]) -> Any:
    """More of them, with the true tag of words that are wrong."""
    picture = new_card("")
    picture.set_size_inches(*(SCALE * picture.get_size_inches()))
    picture.add_axes((0, 0, 1, 1)).set_axis_off()
    size = (SCALE * WIDTH, SCALE * HEIGHT)
    _write_words(picture, sentences, names, size, SMALL, named=True)
    return picture


def _write_words(
    picture: Any,
    sentences: Sequence[Sequence[TaggedWord]],
    names: Sequence[str],
    size: tuple[float, float],
    letters: float,
    named: bool,
) -> None:
    """The names of the tags in their colours, then the words, line by line.

    Args:
        picture: The figure.
        sentences, names: As above.
        size: Of the picture, in pixels of a card.
        letters: Their size, in points.
        named: Whether to add the true tags of wrong words.
    """
    place = _Place(picture, size, letters)
    for k, name in enumerate(names):
        place.put(name, colour(k), weight="bold")
    for sentence in sentences:
        place.new_line(0.4)
        for words, true, guess in runs(sentence):
            for word in words:
                style = {} if true == guess else {"bbox": WRONG}
                if not place.put(shorten(word, LONGEST), colour(guess), **style):
                    return
            if named and true != guess:
                place.put(f"({names[true]})", colour(true), style="italic")


def runs(sentence: Sequence[TaggedWord]) -> Iterator[tuple[list[str], int, int]]:
    """Words that follow each other with the same true and predicted tags."""
    for (true, guess), group in groupby(sentence, lambda word: word[1:]):
        yield [word for word, _, _ in group], true, guess


def colour(tag: int) -> str:
    """Of a tag; after the last colour they begin again."""
    return CLASS_COLOURS[tag % len(CLASS_COLOURS)]


class _Place:
    """Where the next word goes on a picture."""

    def __init__(self, picture: Any, size: tuple[float, float], letters: float) -> None:
        self.picture, self.size, self.letters = picture, size, letters
        self.x, self.y = 4.0, float(TOP)

    def new_line(self, more: float = 0.0) -> None:
        """The next line, `more` lines lower."""
        self.x, self.y = 4.0, self.y + LINE * (1 + more)

    def put(self, text: str, colour: str, **style: Any) -> bool:
        """Write a word; whether there was room."""
        width = width_of(text, self.letters)
        if self.x + width > self.size[0] - 4 and self.x > 4:
            self.new_line()
        if self.y + LINE > self.size[1]:
            return False
        x, y = self.x * WIDTH / self.size[0], self.y * HEIGHT / self.size[1]
        style |= {"family": "monospace", "parse_math": False, "color": colour}
        write(self.picture, x, y, text, self.letters, **style)
        self.x += width + self.letters
        return True
