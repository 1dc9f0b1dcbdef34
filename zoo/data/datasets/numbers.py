"""Numbers in English words to digits and back: "40215" is "forty thousand two hundred fifteen".

Generated, nothing to download. The rule is short but not trivial: a digit's word depends on its
place, which is counted from the end, zeros are silent, teens have names of their own. Training and
validation know no number whose words have more than `letters` letters; of the test numbers, none
of which was trained on in either direction, the part `longer` has more. Those alone are the split
"longer": `python evaluate.py run=... split=longer`.
"""

import random
from typing import Any, Literal

from zoo.data.dataset import Dataset
from zoo.data.splits import Split
from zoo.data.text.encoding import TextForm
from zoo.data.text.pairs import Pair, deal_pairs, pair_dataset
from zoo.errors import UserError
from zoo.registry import DATASETS

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
DIGITS = 7  # of the largest numbers
LONGEST = 78  # letters: seven million seven hundred seventy-seven thousand seven hundred ...

Direction = Literal["both", "spell", "read"]


@DATASETS.register("numbers", tiny=dict(size=300))
def numbers(
    split: Split,
    form: TextForm,
    encoding: dict[str, Any] | None = None,
    direction: Direction = "both",
    size: int = 20_000,
    letters: int = 64,
    longer: float = 0.2,
    max_length: int = LONGEST + 2,
) -> Dataset:
    """Pairs of digits and words.

    Args:
        split: How to deal the numbers.
        form: Which tokenizer.
        encoding: JSON of a run's encoding.
        direction: spell (digits to words), read (words to digits), or both, each number twice.
        size: Numbers drawn, of one to seven digits, each length as often.
        letters: The most that the words of a training number have, spaces counted in.
        longer: Part of the test numbers with more.
        max_length: The most tokens of either side.
    """
    if not 100 <= size <= 200_000:
        raise UserError(f"data.size={size}: expected 100 to 200000 numbers")
    if not 0 <= longer < 1 or (longer and not 40 <= letters < LONGEST):
        raise UserError(
            f"data.letters={letters}, data.longer={longer}: expected 40 to {LONGEST - 1} letters "
            f"(no number has more than {LONGEST}) and a part from 0 to below 1"
        )
    generator = random.Random(split.split_seed)
    known = draw(generator, size, 0, letters if longer else LONGEST)
    # Dealt by number: neither direction of a test number is seen.
    dealt = deal_pairs([(str(number), spell(number)) for number in known], split)
    more = round(len(dealt["test"]) * longer / (1 - longer))
    beyond = [(str(n), spell(n)) for n in draw(generator, more, letters + 1, LONGEST)]
    pairs = dealt | {"test": dealt["test"] + beyond} | ({"longer": beyond} if beyond else {})
    turned = {name: turn(found, direction) for name, found in pairs.items()}
    return pair_dataset("numbers", turned, form, max_length, encoding)


def draw(generator: random.Random, size: int, least: int, most: int) -> list[int]:
    """Distinct numbers, first a length from one to seven digits, then its digits.

    Args:
        generator: Of the random numbers.
        size: How many.
        least, most: Letters of their words.
    """
    found: dict[int, None] = {}
    while len(found) < size:
        digits = generator.randint(1, DIGITS)
        number = generator.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)
        if least <= len(spell(number)) <= most:
            found[number] = None
    return list(found)


def turn(pairs: list[Pair], direction: Direction) -> list[Pair]:
    """Digits first, words first, or both: one pair after its mirror image."""
    if direction == "spell":
        return pairs
    if direction == "read":
        return [(words, digits) for digits, words in pairs]
    return [pair for digits, words in pairs for pair in ((digits, words), (words, digits))]


def spell(number: int) -> str:
    """A whole number from 0 to 999,999,999 in American English words."""
    if number < 1000:
        return _hundreds(number) or ONES[0]
    parts = []
    for value, name in ((1_000_000, "million"), (1000, "thousand"), (1, "")):
        if group := number // value % 1000:
            parts.append(f"{_hundreds(group)} {name}".strip())
    return " ".join(parts)


def _hundreds(number: int) -> str:
    """1 to 999; 0 is silent."""
    words = [ONES[number // 100], "hundred"] if number >= 100 else []
    rest = number % 100
    if rest >= 20:
        ones = f"-{ONES[rest % 10]}" if rest % 10 else ""
        words.append(TENS[rest // 10 - 2] + ones)
    elif rest:
        words.append(ONES[rest])
    return " ".join(words)
