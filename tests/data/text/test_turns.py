"""Conversations as one text, and messages that are none."""

import pytest

from zoo.data.text.turns import flatten
from zoo.errors import UserError

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi."},
    {"role": "user", "content": "Why?"},
]


def test_what_the_user_says_is_in_the_template():
    text = flatten(TALK, "Q: {prompt}\nA:", "here")
    assert text == "Be brief.\nQ: Hello\nA:Hi.\nQ: Why?\nA:"


@pytest.mark.parametrize(("talk", "said"), [([], "missing"), (TALK[:3], "the assistant's")])
def test_an_answer_follows_the_user(talk, said):
    with pytest.raises(UserError, match=f"here: the message before the answer is {said}"):
        flatten(talk, "{prompt}", "here")
