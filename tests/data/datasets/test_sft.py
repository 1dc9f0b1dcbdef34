"""The user's own prompts and responses: mistakes in the file, and training on answers."""

import json

import pytest
from contexts import context

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
