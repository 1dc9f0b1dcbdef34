"""Talking to a run: history, system prompt, the end of a turn, and what is refused."""

import io
import json
import sys
from types import SimpleNamespace

import pytest
from sample_chats import messages

from zoo.commands.chat import Talk
from zoo.commands.predict import main
from zoo.errors import UserError
from zoo.restore import restore

ANSWERS = {"day": "light", "night": "dark"}


@pytest.fixture(scope="module")
def run(tmp_path_factory, trained):
    """A run that answers two words, and says its answer again: which it has to look up."""
    folder = tmp_path_factory.mktemp("chats")
    chats = [
        {"messages": messages(word, answer, "again", answer, "and", answer, system=system)}
        for word, answer in ANSWERS.items()
        for system in (None, "Be short.")
        for _ in range(10)
    ]
    (folder / "chats.jsonl").write_text("\n".join(map(json.dumps, chats)))
    return trained(
        "chat", "model=gpt", "data=sft", "task=causal_lm", f"data.path={folder / 'chats.jsonl'}",
        "data.tokenizer=byte", "data.block_size=256", "data.pack=true", "data.batch_size=4",
        "model.width=32", "model.depth=1", "model.heads=2", "optim.lr=0.01",
        "trainer.max_steps=80", "trainer.eval_steps=80",
    )  # fmt: skip


def said(done):
    assert done.code == 0, done.err
    return done.out.splitlines()


def test_a_conversation_has_a_history_and_answers_end(run, command):
    for word, answer in ANSWERS.items():
        words = [f"input={text}" for text in (word, "again", "and")]
        for system in ((), ("system=Be short.",)):
            done = command(main, f"run={run}", "chat=true", "temperature=0", *words, *system)
            assert said(done) == [answer] * 3
    done = command(main, f"run={run}", "input=night", "temperature=0")  # one message
    assert said(done) == ["dark"]


def test_options_are_whole_answers_to_a_message(run, command):
    for word, answer in ANSWERS.items():
        done = command(main, f"run={run}", f"input={word}", "options=[light,li,dark]", "json=true")
        (row,) = map(json.loads, said(done))
        assert row["option"] == answer and row["probability"] > 0.9


def test_lines_of_the_standard_input_are_messages(run, command, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("night\n\nagain\n"))
    done = command(main, f"run={run}", "chat=true", "temperature=0", "json=true")
    rows = [json.loads(line) for line in said(done)]
    assert rows == [{"input": "night", "text": "dark"}, {"input": "again", "text": "dark"}]


def test_the_oldest_messages_are_forgotten_where_no_answer_would_fit(run):
    restored = restore(run, "best", "cpu", [], print)
    warned = []
    talk = Talk(restored, "Be short.", {"temperature": 0.0, "max_tokens": 9}, warned.append)
    for _ in range(12):
        said = "".join(row["text"] for row in talk.answer("day"))
    assert talk.messages[-1] == {"role": "assistant", "content": said}
    assert talk.messages[0]["role"] == "system"
    assert "the first 2 messages are forgotten: the model reads 256 tokens" in warned
    assert len(restored.task.chat.prompt(talk.messages[:-1])) + 9 <= 256
    assert [m["role"] for m in talk.messages[1:]] == ["user", "assistant"] * (
        len(talk.messages) // 2
    )


def test_nothing_is_forgotten_while_an_answer_of_the_usual_length_fits(run, monkeypatch):
    restored = restore(run, "best", "cpu", [], print)
    restored.task.chat = SimpleNamespace(prompt=lambda messages: range(150 * len(messages)))
    monkeypatch.setattr("zoo.tasks.base.context_of", lambda model: 1000)
    monkeypatch.setattr("zoo.commands.chat.answer", lambda *arguments: iter([{"text": "light"}]))
    warned = []
    talk = Talk(restored, "", {}, warned.append)
    for count in (2, 4, 6):  # the last prompt has 750 tokens, and an answer 200 at most
        list(talk.answer("day"))
        assert len(talk.messages) == count and not warned
    list(talk.answer("day"))
    assert len(talk.messages) == 6 and len(warned) == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["chat=true", "samples=2", "input=a"], "samples= and chat=true: one answer continues a"),
        (["system=a", "input=a"], "system= belongs to a conversation; add chat=true"),
        (["chat=yes", "input=a"], "chat=yes: expected true or false"),
        (["chat=true", "input=a", "max_tokens=0"], "max_tokens=0: expected 1 or more"),
        (["chat=true", f"input={'long ' * 99}"], "input: the prompt has 5"),
    ],
)
def test_what_no_conversation_takes_is_refused(run, refused, options, expected):
    assert refused(main, f"run={run}", *options).startswith(expected)


def test_runs_of_other_data_do_not_chat(digits_run, refused):
    line = refused(main, f"run={digits_run}", "chat=true")
    assert line.startswith("chat=true: the run was trained on images, not on conversations; train")


def test_a_system_prompt_that_the_template_refuses_is_one_line(run):
    restored = restore(run, "best", "cpu", [], print)

    def prompt(conversation):
        raise UserError("the chat template refuses the messages: no system")

    chat = SimpleNamespace(prompt=prompt)
    restored.task.chat = chat
    with pytest.raises(UserError, match="no system"):
        list(Talk(restored, "s", {}, print).answer("day"))
