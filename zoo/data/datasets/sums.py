"""Sums to work out: "17+25=" is "42". Generated, and checked by working them out.

A question and its mirror, 17+25 and 25+17, are in the same split, so that no test question was
trained on the other way round.
"""

import random

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.splits import split_items
from zoo.data.text.prompts import Pair, prompt_dataset
from zoo.data.text.verifiers import SIGNS, calculate
from zoo.errors import UserError
from zoo.registry import DATASETS

MIRRORED = "+*"  # signs around which the numbers may change places


@DATASETS.register("sums", uses=("tokenizer",), tiny={"size": 200, "block_size": 16})
def sums(
    context: DataContext,
    block_size: int,
    template: str = "{prompt}",
    operations: str = "+-",
    largest: int = 99,
    size: int = 20_000,
) -> Dataset:
    """Questions and their answers, by a verifier.

    Args:
        context: The shared settings.
        block_size: Maximum number of tokens of question and answer together.
        template: The text around a question.
        operations: Signs that occur: one or more of + - *.
        largest: The largest number in a question; the smallest is 0.
        size: How many questions; all there are, if they are fewer.
    """
    signs = list(dict.fromkeys(operations))
    if not signs or not set(signs) <= set(SIGNS):
        raise UserError(
            f"data.operations={operations}: expected one or more of {' '.join(SIGNS)}, such as '+-'"
        )
    for name, value, least, most in (
        ("largest", largest, 1, 10**9),
        ("size", size, 100, 1_000_000),
    ):
        if not least <= value <= most:
            raise UserError(f"data.{name}={value}: expected {least:,} to {most:,}")
    generator = random.Random(context.split.split_seed)
    groups = with_mirrors(draw(generator, signs, largest, size))
    splits = {
        split: [pair for group in members for pair in group]
        for split, members in split_items(groups, context.split, not context.is_new).items()
    }
    return prompt_dataset("sums", splits, context, block_size, template, verifier="sums")


def draw(generator: random.Random, signs: list[str], largest: int, size: int) -> list[str]:
    """Distinct questions, all equally probable.

    Args:
        generator: Source of randomness.
        signs: Between the numbers.
        largest: The largest number.
        size: How many, at most.
    """
    numbers = largest + 1
    total = len(signs) * numbers**2
    drawn = generator.sample(range(total), min(size, total))
    questions = []
    for number in drawn:
        rest, second = divmod(number, numbers)
        sign, first = divmod(rest, numbers)
        questions.append(f"{first}{signs[sign]}{second}=")
    return questions


def with_mirrors(questions: list[str]) -> list[list[Pair]]:
    """Questions with their answers, each in one list with its mirror, if that is there too."""
    groups: dict[str, list[Pair]] = {}
    for question in questions:
        sign = next(sign for sign in SIGNS if sign in question)
        numbers = question.rstrip("=").split(sign)
        same = sign + ",".join(sorted(numbers) if sign in MIRRORED else numbers)
        groups.setdefault(same, []).append((question, str(calculate(question))))
    return list(groups.values())
