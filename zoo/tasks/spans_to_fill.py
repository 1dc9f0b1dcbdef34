"""Text infilling: spans of a text, each of which one mask stands for.

Lewis et al., 2019, BART, https://arxiv.org/abs/1910.13461, section 2.2.
The spans are a function of the text's tokens alone, as the masks of `masking` are: order, batches,
ranks and a resume do not change them, and evaluation is reproducible.
"""

import math
from collections.abc import Callable, Sequence
from random import Random

Draw = Callable[[], float]  # the next number from 0 to below 1
SHORT = 0.2  # of the windows are texts of any length


def with_gaps(
    tokens: Sequence[int], seed: int, rate: float, length: float, mask_id: int
) -> tuple[list[int], list[bool]]:
    """A text with spans replaced, and which of its tokens are in one.

    All arrangements of the spans between the tokens that stay are equally probable; so the first
    and the last few tokens are in one less often than the others, as no span passes the ends.

    Args:
        tokens: T of them.
        seed: Of the spans: a number that follows from the tokens.
        rate: Fraction of the tokens that are replaced, rounded to whole tokens, at least one.
        length: Mean of the spans' lengths, which follow Poisson's distribution: of a length of 0 a
            mask stands for nothing, the last span is cut to fit the fraction.
        mask_id: What stands for a span. Two that touch each other keep a mask each.

    Returns:
        At most T tokens; and for each of the T whether it is replaced.
    """
    draw = Random(seed).random
    spans = span_lengths(max(1, round(rate * len(tokens))), length, draw)
    places = _chosen(len(spans), len(tokens) - sum(spans) + len(spans), draw)
    shown: list[int] = []
    hidden: list[bool] = []
    remaining = iter(spans)
    for place in range(len(tokens) - sum(spans) + len(spans)):
        if place in places:
            shown.append(mask_id)
            hidden += [True] * next(remaining)
        else:
            shown.append(tokens[len(hidden)])
            hidden.append(False)
    return shown, hidden


def text_length(window: int, seed: int) -> int:
    """How many tokens of a window make its text: of most windows all; of the others a random
    number, so that texts are learnt to end at any length (as BERT's `short_seq_prob`)."""
    draw = Random(f"length {seed}").random
    return 1 + int(draw() * window) if draw() < SHORT else window


def span_lengths(total: int, mean: float, draw: Draw) -> list[int]:
    """Lengths of spans that are `total` together, and no more spans than that."""
    lengths: list[int] = []
    while (left := total - sum(lengths)) > 0:
        none_left = len(lengths) + left >= total  # each further span needs a token
        lengths.append(min(left, max(poisson(mean, draw), int(none_left))))
    return lengths


def poisson(mean: float, draw: Draw) -> int:
    """A number of Poisson's distribution, by inversion."""
    number, chance = 0, math.exp(-mean)
    below, uniform = chance, draw()
    while uniform >= below and chance > 0:
        number += 1
        chance *= mean / number
        below += chance
    return number


def _chosen(count: int, size: int, draw: Draw) -> set[int]:
    """So many of the numbers 0 to size - 1, each set equally probable (Floyd's algorithm)."""
    chosen: set[int] = set()
    for last in range(size - count, size):
        number = int(draw() * (last + 1))
        chosen.add(last if number in chosen else number)
    return chosen
