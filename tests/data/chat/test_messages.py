"""Messages: what no template has to say."""

import pytest
from sample_chats import messages

from zoo.data.chat.messages import check_messages, exchange
from zoo.errors import UserError


def test_messages_are_taken_as_they_are_without_halves_of_characters():
    chat = messages("a", "b", "c", system="s")
    assert check_messages([*chat, {"role": "user", "content": "\ud83d", "name": "x"}], "f:1") == [
        *chat,
        {"role": "user", "content": "\ufffd"},
    ]
    assert exchange("a", "b") == messages("a", "b")


def test_the_words_of_sharegpt_are_ours():
    said = zip(("system", "human", "gpt"), "sab", strict=True)
    chat = [{"from": who, "value": text} for who, text in said]
    assert check_messages(chat, "f:1") == messages("a", "b", system="s")


@pytest.mark.parametrize(
    ("chat", "said"),
    [
        ("hi", "f:1: expected a list of messages, got a str"),
        ([], "f:1: the conversation is empty"),
        (["hi"], "f:1, message 1: expected an object with 'role' and 'content', got a str"),
        ([{"from": "user", "text": "a"}], "message 1: .* got 'from, text'"),
        ([{"from": "humen", "value": "a"}], "message 1: unknown role 'humen'"),
        ([{"from": ["human"], "value": "a"}], "message 1: unknown role '..human"),
        ([{"from": "gpt", "value": "a"}], "message 1: an assistant's message follows nothing"),
        ([{"role": "asistant", "content": "a"}], "unknown role 'asistant'; did you mean 'ass"),
        ([{"role": "user", "content": None}], "message 1: 'content' is a NoneType, expected a te"),
        (messages("a", "b") + messages(system="s"), "message 3: a system message comes first"),
        (messages("a", "b")[1:], "message 1: an assistant's message follows nothing, expected a u"),
        (messages("a", "b") * 2 + messages("a", "b")[1:], "message 5: .* one of the assistant"),
        (messages("a", " \n"), "message 2: the assistant's message is empty"),
    ],
)
def test_wrong_messages_are_one_line_with_their_place(chat, said):
    with pytest.raises(UserError, match=said):
        check_messages(chat, "f:1")
