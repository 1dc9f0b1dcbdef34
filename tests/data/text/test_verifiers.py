"""What counts as a right answer."""

import pytest

from zoo.data.text.verifiers import VERIFIERS, calculate


@pytest.mark.parametrize(
    "prompt, right",
    [
        ("17+25=", "42"),
        ("3-45=", "-42"),
        ("12*12=", "144"),
        ("What is 2+2=?\n", "4"),
        ("0-0=", "0"),
    ],
)
def test_the_number_itself_and_nothing_else_is_right(prompt, right):
    verify = VERIFIERS["sums"]
    assert verify(prompt, right) == verify(prompt, f" {right}\n") == 1
    wrong = ["", f"0{right}", f"+{right}", f"{right}0", f"{right}.0", str(int(right) + 1), "--1"]
    assert not any(verify(prompt, answer) for answer in wrong)


def test_what_asks_nothing_has_no_right_answer():
    for prompt in ("", "17+25", "a+b=", "17/5="):
        assert calculate(prompt) is None
        assert VERIFIERS["sums"](prompt, "None") == 0
