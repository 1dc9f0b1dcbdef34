"""Encodings of conversations: rebuilt from their JSON, asked by one message."""

import pytest
from sample_chats import chat, messages

from zoo.data.encoding import load_encoding
from zoo.data.text.chat_encoding import ChatEncoding
from zoo.errors import UserError


def test_an_encoding_is_rebuilt_with_its_template_and_asks_by_a_message():
    form, _ = chat("llama3")
    encoding = ChatEncoding(form.tokenizer, 40)
    again = load_encoding(encoding.to_json())
    for one in (encoding, again):
        facts = one.facts() | one.runtime_facts
        assert facts["eot_id"] == form.end_id == facts["chat"].end_id
        assert facts["block_size"] == 40 and facts["tokenizer"] is one.tokenizer
        names, batch = one.read("hi")
        assert names == ["hi"]
        assert batch["input"][0].tolist() == form.prompt(messages("hi")).tolist()
        assert one.pad_id == form.end_id
        with pytest.raises(UserError, match="tokens, the model reads 40 at most"):
            one.read("hi " * 40)
    json = encoding.to_json()
    del json["length"]
    with pytest.raises(UserError, match="the run's chat encoding is damaged: 'length' is missing"):
        load_encoding(json)
