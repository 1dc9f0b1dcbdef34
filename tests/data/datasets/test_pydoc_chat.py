"""Conversations made of docstrings: later answers stand in what was said before."""

import torch
from contexts import context

from zoo.data.datasets.pydoc_answers import answers
from zoo.data.datasets.pydoc_chat import QUESTIONS, SYSTEM, conversation, pydoc_chat
from zoo.data.tokenizers.config import TokenizerConfig

SIGNATURE = "json.decoder.JSONDecoder.decode(self, s, *, _w=m(1, ','), **rest)"


def test_a_conversation_asks_about_what_was_said():
    (plain, _), (loud, _) = (conversation(k, SIGNATURE, "Decode it.") for k in (0, 1))
    assert [m["content"] for m in plain] == [
        f"What does {SIGNATURE} do?",
        "Decode it.",
        "What is it called?",
        "decode",
        "Where is it?",
        "json.decoder.JSONDecoder",
    ]
    assert loud[0] == {"role": "system", "content": SYSTEM}
    assert [m["content"] for m in loud[2::2]] == [
        "DECODE IT.",
        "DECODE",
        "JSON.DECODER.JSONDECODER",
    ]
    assert [m["content"] for m in loud[1::2]] == [m["content"] for m in plain[::2]]
    arguments = QUESTIONS["Which arguments does it take?"]
    assert arguments(SIGNATURE) == "self, s, _w, rest"
    assert arguments("os.getpid()") == "None." and arguments("json.JSONDecoder")[:5] == "I do "


def test_all_answers_are_learnt_and_each_question_is_asked_as_often():
    data = pydoc_chat(context(tokenizer=TokenizerConfig("byte", None)), 512, pack=True)
    assert len(answers()) > 3000 and data.splits["train"].documents is not None
    first = data.splits["test"].fetch(torch.arange(50))
    texts = [data.encoding.tokenizer.decode(row) for row in first["input"]]
    assert all(text.count("Assistant:\n") == 3 and text.count("User:\n") == 3 for text in texts)
    for question in QUESTIONS:
        assert 0.5 < sum(question in text for text in texts) / 33 < 1.5
    assert 10 < sum(SYSTEM in text for text in texts) < 40
