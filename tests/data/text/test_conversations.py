"""Datasets of conversations: what is cut, what is said, which template is used."""

import json

import pytest
import torch
from contexts import context
from sample_chats import CHATML, chat, messages

from zoo.data.text.conversations import Conversation, conversation_dataset
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.data.tokenizers.registry import load_tokenizer
from zoo.errors import UserError

BYTES = TokenizerConfig("byte", None)
CHATS = [Conversation(messages(f"ask {k}", "b" * (k % 9 + 1), "more", f"d{k}")) for k in range(30)]


def build(conversations=CHATS, length=99, tokenizer=BYTES, encoding=None, **options):
    shared = context(tokenizer=tokenizer, encoding=encoding)
    return conversation_dataset("chats", conversations, shared, length, **options)


def learnt(data, split="train"):
    source = data.splits[split]
    batch = source.fetch(torch.arange(len(source)))
    decode = data.encoding.tokenizer.decode
    return [decode(ids[1:][s].tolist()) for ids, s in zip(batch["input"], batch["scored"])]


@pytest.mark.parametrize("kind", ["byte", "char", "bpe"])
def test_answers_alone_are_learnt(kind):
    data = build(tokenizer=TokenizerConfig(kind, 300 if kind == "bpe" else None))
    answers = sorted(text for split in data.splits for text in learnt(data, split))
    expected = ["".join(m["content"] for m in c.messages[1::2]) for c in CHATS]
    assert answers == sorted(expected)
    assert data.notes[0].startswith("chats: 30 conversations, 60 answers of ")
    again = build(tokenizer=TokenizerConfig(kind), encoding=data.encoding.to_json())
    assert again.sha256 == data.sha256 and len(again.splits["all"]) == 30


def test_long_conversations_end_with_the_last_answer_that_fits():
    whole = build()
    longest = int(whole.splits["train"].bucket_key.max())
    data = build(length=longest - 3)
    assert "answers beyond data.block_size=" in data.notes[0]
    assert data.splits["train"].bucket_key.max() <= longest - 2
    assert any(set(text) == {"b"} for text in learnt(data))  # the last answer did not fit
    with pytest.raises(UserError, match="no answer of the train split ends within data.block_si"):
        build(length=9)


def test_training_rows_are_packed_and_the_others_are_not():
    data, plain = build(length=200, pack=True), build()
    packed = data.splits["train"]
    assert packed.documents is not None and data.splits["val"].documents is None
    assert packed.num_tokens == plain.splits["train"].num_tokens
    assert 2 * len(packed) <= len(plain.splits["train"])
    assert packed.bucket_key.max() <= 201
    assert f"21 rows packed into {len(packed)}, " in data.notes[-1]


def test_the_template_is_the_given_one_or_the_tokenizers_own():
    form, _ = chat("llama3")
    given = load_tokenizer(form.tokenizer.to_json())
    data = build(tokenizer=TokenizerConfig("published", given=given))
    assert data.encoding.chat.end == "<|eot_id|>"
    with pytest.raises(UserError, match="ends no assistant's message by a special token"):
        build(chat_template=CHATML)  # its markers are no tokens here
    other = build(chat_template="{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}")
    decode = other.encoding.tokenizer.decode
    assert decode(other.splits["val"].rows.rows(torch.tensor([0]))[0]).startswith("ask ")


def test_refused_messages_are_named_with_their_place():
    form, _ = chat("gemma")
    config = TokenizerConfig("published", given=form.tokenizer)
    wrong = Conversation(messages("a", "b", system="s"), "chats.jsonl:31")
    with pytest.raises(
        UserError, match="^chats.jsonl:31: the chat template refuses .* System role"
    ):
        build([*CHATS, wrong], tokenizer=config)
    users = Conversation(messages("a"), "chats.jsonl:1")
    with pytest.raises(UserError, match="^chats.jsonl:1: no message is the assistant's"):
        build([users, *CHATS])
    with pytest.raises(UserError, match="data=chats takes data.tokenizer=bpe, char or byte"):
        build(tokenizer=TokenizerConfig("word"))


def test_the_date_of_a_run_stays(monkeypatch):
    source = "{{ strftime_now('%Y') }}" + CHATML.replace("<|im_end|>", "{{ eos_token }}")
    encoding = build(chat_template=source).encoding.to_json()
    assert encoding["tokenizer"]["chat"]["date"][:2] == "20"
    encoding["tokenizer"]["chat"]["date"] = "2011-01-01"
    again = build(encoding=json.loads(json.dumps(encoding)))
    assert again.encoding.tokenizer.decode(again.encoding.read("hi")[1]["input"][0])[:4] == "2011"
