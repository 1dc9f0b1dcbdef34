"""Conversations as one text, and messages that are none."""

import pytest

from zoo.data.text.turns import flatten, read_messages
from zoo.errors import UserError

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi."},
    {"role": "user", "content": "Why?"},
]


def test_what_the_user_says_is_in_the_template():
    text = flatten(read_messages(TALK, "here"), "Q: {prompt}\nA:", "here")
    assert text == "Be brief.\nQ: Hello\nA:Hi.\nQ: Why?\nA:"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "here: expected a text, or a list of messages"),
        ([], "here: expected a text, or a list of messages"),
        ([{"role": "user"}], "here: expected messages of 'role' and 'content'"),
        ([{"role": "users", "content": "a"}], "here: unknown role 'users'; did you mean 'user'"),
        ([{"role": "user", "content": 3}], "here: the content of a message is a int"),
    ],
)
def test_wrong_messages(value, message):
    with pytest.raises(UserError, match=message):
        read_messages(value, "here")


@pytest.mark.parametrize(("talk", "said"), [([], "missing"), (TALK[:3], "the assistant's")])
def test_an_answer_follows_the_user(talk, said):
    with pytest.raises(UserError, match=f"here: the message before the answer is {said}"):
        flatten(talk, "{prompt}", "here")
