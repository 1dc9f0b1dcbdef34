"""Verifiers: functions of a prompt and an answer to a reward from 0 (wrong) to 1 (right).

Where answers can be checked, a policy can be improved by trying: no right answer need be given
(Lambert et al., 2024, https://arxiv.org/abs/2411.15124, section 6).
"""

import re
from collections.abc import Callable

from zoo.data.text.python_code import parse_code

Verifier = Callable[[str, str], float]

SIGNS: dict[str, Callable[[int, int], int]] = {
    "+": int.__add__,
    "-": int.__sub__,
    "*": int.__mul__,
}
QUESTION = re.compile(r"(\d+)([+*-])(\d+)=")


def calculate(question: str) -> int | None:
    """The answer to `17+25=`, wherever it stands in a text; None without a question."""
    found = QUESTION.search(question)
    return None if found is None else SIGNS[found[2]](int(found[1]), int(found[3]))


def verify_sum(prompt: str, answer: str) -> float:
    """1 for the number itself, written as a number is: without a sign too many, or zeros before."""
    right = calculate(prompt)
    return float(right is not None and answer.strip() == str(right))


def verify_python(prompt: str, answer: str) -> float:
    """1 for code that Python's parser accepts after the prompt; it is not run."""
    return float(bool(answer.strip()) and parse_code(prompt + answer) is not None)


VERIFIERS: dict[str, Verifier] = {"sums": verify_sum, "python": verify_python}
"""By the name that an encoding keeps."""
