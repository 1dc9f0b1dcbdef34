"""Numbers in English words to digits and back: "40215" is "forty thousand two hundred fifteen".

Generated, nothing to download. The rule is short but not trivial: a digit's word depends on its
place, which is counted from the end, zeros are silent, teens have names of their own. Training and
validation have no number whose words have more than `letters` letters; of the test numbers, none
of which was trained on in either direction, the fraction `longer` has more. Only those are in the
split "longer": `python evaluate.py run=... split=longer`.
"""

import random
from typing import Literal

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.text.pairs import Pair, pair_dataset, split_pairs
from zoo.errors import UserError
from zoo.registry import DATASETS

ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
DIGITS = 7  # of the largest numbers
TRIES = 2_000  # numbers drawn for one whose words have the length that is wanted
LONGEST = 78  # letters: seven million seven hundred seventy-seven thousand seven hundred ...

Direction = Literal["both", "spell", "read"]


@DATASETS.register("numbers", uses=("tokenizer",), tiny={"size": 300})
def numbers(
    context: DataContext,
    direction: Direction = "both",
    size: int = 20_000,
    letters: int = 64,
    longer: float = 0.2,
    max_length: int = LONGEST + 2,
) -> Dataset:
    """Pairs of digits and words.

    Args:
        context: The shared settings.
        direction: spell (digits to words), read (words to digits), or both, each number twice.
        size: How many numbers, of one to seven digits; all lengths are equally frequent.
        letters: Maximum number of letters in the words of a training number, spaces included.
        longer: Fraction of the test numbers with more.
        max_length: Maximum number of tokens of either side.
    """
    if not 100 <= size <= 200_000:
        raise UserError(f"data.size={size}: expected 100 to 200000 numbers")
    if not 0 <= longer < 1 or (longer and not 40 <= letters < LONGEST):
        raise UserError(
            f"data.letters={letters}, data.longer={longer}: expected 40 to {LONGEST - 1} letters "
            f"(no number has more than {LONGEST}) and a fraction from 0 to below 1"
        )
    generator = random.Random(context.split.split_seed)
    short = _pairs(draw(generator, size, 0, letters if longer else LONGEST))
    # Split by number: neither direction of a test number is in the training split.
    splits = split_pairs(short, context)
    count = round(len(splits["test"]) * longer / (1 - longer))
    long = _pairs(draw(generator, count, letters + 1, LONGEST))
    splits["test"] += long
    if long:
        splits["longer"] = long
    directed = {split: with_direction(pairs, direction) for split, pairs in splits.items()}
    return pair_dataset("numbers", directed, context, max_length)


def _pairs(values: list[int]) -> list[Pair]:
    return [(str(value), in_words(value)) for value in values]


def draw(generator: random.Random, size: int, shortest: int, longest: int) -> list[int]:
    """Distinct numbers: for each, first a length from one to seven digits, then its digits.

    Args:
        generator: Source of randomness.
        size: How many.
        shortest, longest: Letters of their words.

    Raises:
        UserError: Too few numbers have such words.
    """
    drawn: dict[int, None] = {}
    for _ in range(TRIES * size + 1):
        if len(drawn) == size:
            return list(drawn)
        digits = generator.randint(1, DIGITS)
        number = generator.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)
        if shortest <= len(in_words(number)) <= longest:
            drawn[number] = None
    raise UserError(
        f"data.letters: fewer than {size:,} of the numbers that were drawn have words of "
        f"{shortest} to {longest} letters; set data.letters nearer to 64, or a smaller data.size"
    )


def with_direction(pairs: list[Pair], direction: Direction) -> list[Pair]:
    """Digits first, words first, or both: each pair, followed by its reverse."""
    if direction == "spell":
        return pairs
    if direction == "read":
        return [(words, digits) for digits, words in pairs]
    return [pair for digits, words in pairs for pair in ((digits, words), (words, digits))]


def in_words(number: int) -> str:
    """A whole number from 0 to 999,999,999 in American English words."""
    if number < 1000:
        return _hundreds(number) or ONES[0]
    groups = []
    for value, name in ((1_000_000, "million"), (1000, "thousand"), (1, "")):
        if group := number // value % 1000:
            groups.append(f"{_hundreds(group)} {name}".strip())
    return " ".join(groups)


def _hundreds(number: int) -> str:
    """1 to 999; 0 is silent."""
    words = [ONES[number // 100], "hundred"] if number >= 100 else []
    below_hundred = number % 100
    if below_hundred >= 20:
        ones = f"-{ONES[below_hundred % 10]}" if below_hundred % 10 else ""
        words.append(TENS[below_hundred // 10 - 2] + ones)
    elif below_hundred:
        words.append(ONES[below_hundred])
    return " ".join(words)
