"""The user's own prompts and responses: mistakes in the file, and training on answers."""

import json

import pytest
from contexts import context

from zoo.data.chat.messages import exchange
from zoo.data.dataset import Dataset
from zoo.data.datasets.sft import sft
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

BYTES = TokenizerConfig(tokenizer="byte", vocab_size=None)


def build(path, block_size=64, encoding=None, **options) -> Dataset:
    return sft(context(tokenizer=BYTES, encoding=encoding), block_size, path=str(path), **options)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        ("{", "1: not JSON"),
        ("[1]", "entry 1: expected an object, got a int"),
        ("3", "1: expected an object, got a int"),
        ("[{}", "wrong.jsonl: not JSON"),
        ('{"promt": "a", "response": "b"}', "data.prompt: .*:1: .*did you mean 'promt'"),
        ('{"prompt": "a", "response": 3}', "'response' is a int, expected a text"),
        ('{"prompt": "a", "response": " "}', "'response' is empty"),
    ],
)
def test_wrong_files(tmp_path, content, said):
    path = tmp_path / "wrong.jsonl"
    path.write_text(content)
    with pytest.raises(UserError, match=said):
        build(path)


def test_a_list_is_read_as_lines_are_and_repeated_samples_are_said(tmp_path):
    rows = [{"prompt": f"p {k % 9}", "response": "abc"} for k in range(40)]
    lines, listed = tmp_path / "lines.jsonl", tmp_path / "list.json"
    lines.write_text("\n".join(map(json.dumps, rows)))
    listed.write_text(json.dumps(rows, indent=2))
    data = build(lines)
    assert build(listed).sha256 == data.sha256
    assert "prompts with their responses of the val and test splits are also in" in data.notes[-1]
    assert not any(
        "also in" in note for note in build(lines, encoding=data.encoding.to_json()).notes
    )


def test_what_is_not_read_of_rows_is_said(tmp_path):
    path = tmp_path / "alpaca.jsonl"
    row = {"instruction": "Add.", "input": "1 and 2", "output": "3"}
    path.write_text("\n".join(json.dumps(row | {"n": k} if k == 30 else row) for k in range(40)))
    options = {"prompt": "instruction", "response": "output"}
    assert "of each row, not read: input, n" in build(path, **options).notes
    assert (
        "of each row, not read: input, n" in build(path, chat_template="default", **options).notes
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"messages": []}', "wrong.jsonl:1: the conversation is empty"),
        ('{"messages": "a"}', "wrong.jsonl:1: expected a list of messages, got a str"),
        ('{"messages": [{"role": "usr", "content": "a"}]}', "message 1: unknown role 'usr'; did"),
        ('{"messages": [{"role": "user", "content": "a"}]}\n' * 9, "no message is the assistant's"),
        ('[{"messages": []}, {"x": 1}]', "entry 1: the conversation is empty"),
        ('{"messages": %s}\n{"mesages": 1}', "data.messages: .*:2: .*did you mean 'mesages'"),
        ('{"messages": %s}\n{"prompt": "a", "response": ""}', ":2: 'response' is empty"),
    ],
)
def test_wrong_conversations(tmp_path, content, said):
    path = tmp_path / "wrong.jsonl"
    path.write_text(content.replace("%s", json.dumps(exchange("a", "b"))))
    with pytest.raises(UserError, match=said):
        build(path)


def test_messages_and_prompts_are_conversations_of_one_file(tmp_path):
    path = tmp_path / "mixed.jsonl"
    rows = [{"messages": exchange(f"a {k}", "b\ud83d")} for k in range(20)]
    rows[3]["messages"][1]["thinking"] = "hm"
    rows += [{"prompt": f"p {k}", "response": "c"} for k in range(20)]
    path.write_text("\n".join(map(json.dumps, rows)))
    data = build(path)
    assert data.notes[0] == "sft: 40 conversations, 40 answers of 4 tokens"
    assert data.notes[-2].startswith("20 of 40 conversations hold half a character")
    assert data.notes[-1] == "of messages only role and content are read, not thinking"
    again = build(path, encoding=data.encoding.to_json())
    assert again.sha256 == data.sha256


def test_prompts_are_conversations_where_a_template_is_given(tmp_path):
    path, template = tmp_path / "pairs.jsonl", tmp_path / "template.jinja"
    rows = [{"prompt": f"p {k}", "response": "c"} for k in range(20)]
    path.write_text("\n".join(map(json.dumps, rows)))
    source = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}"
    template.write_text(source + "{{ '<assistant>' if add_generation_prompt }}")
    for given in (str(template), template.read_text()):
        data = build(path, chat_template=given)
        ids = data.encoding.read("hi")[1]["input"][0]
        assert data.encoding.tokenizer.decode(ids) == "<user>hi<assistant>" and 0 in ids
    default = build(path, chat_template="default", pack=True)
    assert default.encoding.kind == "chat" and "packed into" in default.notes[-1]
    with pytest.raises(UserError, match="data.chat_template=missing: no such file; expected a"):
        build(path, chat_template="missing")
    with pytest.raises(UserError, match=r"data.template='Q: {prompt}' is for plain prompts"):
        build(path, chat_template="default", template="Q: {prompt}")
    with pytest.raises(UserError, match="data.pack=true packs conversations; give data.chat_te"):
        build(path, pack=True)


@pytest.mark.parametrize("kind", ["byte", "char", "bpe"])
def test_half_an_emoji_is_read_as_one_sign_with_a_note(kind, tmp_path):
    rows = [{"prompt": f"p {k} ä", "response": "whole \U0001f600"} for k in range(20)]
    rows[7]["response"] = "cut \ud83d"
    path = tmp_path / "cut.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    config = TokenizerConfig(kind, None if kind != "bpe" else 300)
    data = sft(context(tokenizer=config), 64, path=str(path))
    (note,) = [note for note in data.notes if "half a character" in note]
    assert note.startswith("1 of 20 pairs hold") and note.endswith(r"The first: 'cut \ud83d'")
    texts = [data.encoding.tokenizer.decode(s.rows.flat.tolist()) for s in data.splits.values()]
    assert "cut \ufffd" in "".join(texts) and "".join(texts).count("\U0001f600") == 19


def test_a_model_learns_to_answer(train, tmp_path, capsys):
    """From a file to an answer on the command line: one word for each of two prompts."""
    from zoo.commands.predict import main

    path = tmp_path / "two.jsonl"
    pairs = [{"prompt": "day", "response": "light"}, {"prompt": "night", "response": "dark"}] * 20
    path.write_text("\n".join(map(json.dumps, pairs)))
    done = train(
        "model=gpt", "data=sft", "task=causal_lm", f"data.path={path}", "data.tokenizer=byte",
        "model.width=32", "model.depth=1", "model.heads=2", "optim.lr=0.01",
        "trainer.max_steps=60", "trainer.eval_steps=30", "trainer.precision=fp32",
    )  # fmt: skip
    assert done.code == 0, done.err
    capsys.readouterr()
    for prompt, response in (("day", "light"), ("night", "dark")):
        assert main([f"run={done.path}", f"input={prompt}", "temperature=0"]) == 0
        assert capsys.readouterr().out == response + "\n"
