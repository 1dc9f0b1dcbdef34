"""Files of preferences: texts and messages, official splits, mistakes."""

import json

import pytest
import torch
from contexts import context

from zoo.data.datasets.preferences import preferences
from zoo.data.datasets.sft import sft
from zoo.data.encoding import load_encoding
from zoo.data.splits import Split
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

BYTES = TokenizerConfig(tokenizer="byte", vocab_size=None)
ROW = {"prompt": "a", "chosen": "good", "rejected": "bad"}


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def write(folder, rows):
    path = folder / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def build(path, encoding=None, block_size=64, **options):
    settings = context(tokenizer=BYTES, encoding=encoding)
    return preferences(settings, block_size, path=str(path), **options)


def texts(dataset, split):
    """Prompt, chosen and rejected answer of each row, with the end as `.`."""
    source, decode = dataset.splits[split], dataset.encoding.tokenizer.decode
    batch = source.fetch(torch.arange(len(source)))
    for rows, scored in zip(batch["input"].tolist(), batch["scored"].tolist(), strict=True):
        start = scored[0].index(True) + 1
        answers = []
        for row, marks in zip(rows, scored, strict=True):
            ids = [token for token, mark in zip(row[1:], marks, strict=True) if mark]
            assert ids[-1] == dataset.facts["eot_id"]
            answers.append(decode(ids[:-1]))
        yield decode(rows[0][:start]), *answers


def test_rows_are_split_as_they_say(tmp_path):
    parts = ["train", "val", "test", "train"]
    rows = [
        {"prompt": f"p{k}", "chosen": "yes" * (k + 1), "rejected": "no", "split": part}
        for k, part in enumerate(parts)
    ]
    dataset = build(write(tmp_path, rows), split_column="split")
    assert list(texts(dataset, "train")) == [("p0\n", "yes", "no"), ("p3\n", "yes" * 4, "no")]
    assert list(texts(dataset, "test")) == [("p2\n", "yes" * 3, "no")]
    assert dataset.notes[0] == (
        "preferences: 4 pairs, 8 tokens of a chosen answer and 3 of a rejected one"
    )
    again = build(tmp_path / "pairs.jsonl", dataset.encoding.to_json(), split_column="split")
    assert len(again.splits["all"]) == 4 and again.sha256 == dataset.sha256
    tested = build(write(tmp_path, rows[2:3]), dataset.encoding.to_json(), split_column="split")
    assert [len(tested.splits[split]) for split in ("train", "val", "test", "all")] == [0, 0, 1, 1]


TALK = [user("x"), assistant("y"), user("a")]


def conversations(row):
    """All forms of one row."""
    answers = {name: [assistant(row[name])] for name in ("chosen", "rejected")}
    whole = {name: [user(row["prompt"]), *answer] for name, answer in answers.items()}
    prompt = {"prompt": row["prompt"]}
    return [whole, {"prompt": [user(row["prompt"])], **answers}, prompt | whole, row]


def test_messages_are_written_by_the_chat_template(tmp_path):
    """A row of texts among them is a message too."""
    rows = [{"prompt": [*TALK], "chosen": [assistant("good")], "rejected": [assistant("bad")]}]
    rows += conversations(ROW) * 5
    dataset = build(write(tmp_path, rows))
    said = [row for split in dataset.splits for row in texts(dataset, split)]
    assert said.count(("User:\na\nAssistant:\n", "good", "bad")) == 20
    begun = "User:\nx\nAssistant:\ny\nUser:\na\nAssistant:\n"
    assert [row[0] for row in said if "x" in row[0]] == [begun]
    assert dataset.encoding.runtime_facts["chat"].end_id == dataset.facts["eot_id"]
    again = build(tmp_path / "pairs.jsonl", dataset.encoding.to_json())
    assert len(again.splits["all"]) == 21


def test_texts_are_messages_where_a_template_is_given(tmp_path):
    template = (
        "{% for m in messages %}<{{ m.content | trim }}>{{ eos_token if m.role == 'assistant' }}"
        "{% endfor %}"
    )
    form = template.replace("<{{", "{{ '<' if m.role == 'user' }}{{").replace(">{{ eos", "{{ eos")
    path = write(tmp_path, [ROW] * 9)
    dataset = build(path, chat_template=form)
    assert list(texts(dataset, "test"))[0] == ("<a", "good", "bad")
    path = write(tmp_path, [ROW | {"rejected": "good "}] * 9)
    with pytest.raises(UserError, match=r":\d+: the chat template writes both answers alike"):
        build(path, chat_template=form)
    with pytest.raises(UserError, match="data.verifier checks answers to texts"):
        build(path, chat_template=form, verifier="python")
    with pytest.raises(UserError, match=r"data.template='Q: {prompt}' is for plain prompts"):
        build(path, chat_template=form, template="Q: {prompt}")


def test_a_run_keeps_its_encoding_and_is_evaluated_on_answers_alone(tmp_path):
    rows = [ROW | {"prompt": str(k)} for k in range(20)]
    encoding = build(write(tmp_path, rows), verifier="python").encoding.to_json()
    restored = load_encoding(json.loads(json.dumps(encoding)))
    assert restored.to_json() == encoding and restored.rejected == "rejected"
    assert restored.runtime_facts["verifier"]("a = ", "1") == 1
    path = write(tmp_path, [{"prompt": "a", "response": "b"}] * 9)
    plain = sft(context(tokenizer=BYTES, encoding=encoding), 64, path=str(path))
    assert plain.splits["all"].fetch(torch.arange(2))["input"].ndim == 2


def test_long_rows_are_left_out(tmp_path):
    rows = [ROW | {"prompt": str(k)} for k in range(20)] + [ROW | {"rejected": "b" * 99}] * 20
    dataset = build(write(tmp_path, rows))
    assert sum(len(dataset.splits[s]) for s in ("train", "val", "test")) == 20
    assert dataset.notes[0].endswith("20 longer than data.block_size=64 tokens left out")
    with pytest.raises(UserError, match="every row of the train split is longer"):
        build(tmp_path / "pairs.jsonl", block_size=3)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (3, ":1: expected an object, got a int"),
        ({"prompt": "a", "chosen": "b"}, "data.rejected: .*:1: unknown key 'rejected'"),
        ({"chosen": "a", "rejected": "b"}, "data.prompt: .*:1: unknown key 'prompt'"),
        (ROW | {"rejected": "good"}, ":1: 'chosen' and 'rejected' are equal"),
        (ROW | {"chosen": " "}, ":1: 'chosen' is empty"),
        (ROW | {"chosen": 3}, ":1, 'chosen': expected a list of messages, got a int"),
        (ROW | {"prompt": 3}, ":1, 'prompt': expected a list of messages, got a int"),
        (ROW | {"chosen": [user("a")]}, "'chosen': the last message is the user's"),
        (ROW | {"chosen": [user("a"), assistant("b")]}, "do not answer the same messages"),
        (
            {"prompt": "x"} | {n: [user("a"), assistant(n)] for n in ("chosen", "rejected")},
            "'prompt' is another text than the message that is answered",
        ),
        (ROW | {"split": "dev"}, "'split' is 'dev', expected one of train, val, test"),
    ],
)
def test_wrong_rows(tmp_path, row, said):
    path = write(tmp_path, [row])
    with pytest.raises(UserError, match=said):
        build(path, split_column="split" if row == ROW | {"split": "dev"} else None)


def test_wrong_settings(tmp_path):
    path = write(tmp_path, [ROW | {"split": "train"}] * 9)
    with pytest.raises(UserError, match="data.path is missing"):
        preferences(context(tokenizer=BYTES), 64)
    with pytest.raises(UserError, match="data.split_column: .*:1: unknown key 'part'"):
        build(path, split_column="part")
    with pytest.raises(UserError, match="no row is of the val split"):
        build(path, split_column="split")
    with pytest.raises(UserError, match="data.folds=3: the column 'split' says which split a row"):
        folds = context(Split(folds=3, fold=0), tokenizer=BYTES)
        preferences(folds, 64, path=str(path), split_column="split")
    with pytest.raises(UserError, match="data.verifier: unknown verifier 'pyton'; did you mean"):
        build(path, verifier="pyton")
    with pytest.raises(UserError, match="data.tokenizer=word drops capitals"):
        preferences(context(tokenizer=TokenizerConfig("word")), 64, path=str(path))
