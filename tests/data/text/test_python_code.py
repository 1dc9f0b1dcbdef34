"""What is Python, and what is not."""

import pytest

from zoo.data.text.python_code import parse_code
from zoo.data.text.verifiers import VERIFIERS


@pytest.mark.parametrize(
    ("source", "is_code"),
    [("a = '\\d'\n", True), ("def f(:", False), ("a\0b", False), ("(" * 9999, False)],
)
def test_it_is_parsed_and_says_nothing(source, is_code, recwarn):
    assert (parse_code(source) is not None) == is_code
    assert not recwarn.list


def test_an_answer_is_code_together_with_its_prompt():
    verify = VERIFIERS["python"]
    assert verify("def f(x):", "\n    return x") == 1
    assert verify("def f(x):", "\n    return (x") == verify("def f(x):", " \n") == 0
    assert verify("x = 1", "  ") == 0
