"""A model's wrong answers beside the right ones, from the command line; and training on them."""

import json

import pytest
from support import refused

from zoo.commands.evaluate import main as evaluate
from zoo.commands.export import main as export
from zoo.commands.predict import main as predict
from zoo.commands.preferences import main as preferences

SIZE = ("model=gpt", "model.width=16", "model.depth=1", "model.heads=2")


@pytest.fixture(scope="module")
def sums_run(trained):
    """Sums by a model that has seen a few."""
    data = ("data=sums", "data.largest=4", "data.operations=+", "data.batch_size=16")
    return trained("sums", *SIZE, *data, "task=causal_lm", "optim.lr=1e-2")


def test_pairs_are_wrong_answers_and_the_responses(
    sums_run, command, train, with_previews, tmp_path
):
    path = tmp_path / "pairs.jsonl"
    done = command(preferences, f"run={sums_run}", f"path={path}", "max_tokens=4")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        first, second = row["prompt"].rstrip("=").split("+")
        assert row["chosen"] == str(int(first) + int(second)) != row["rejected"].strip()
    assert {row["split"] for row in rows} == {"train", "val", "test"}
    again = tmp_path / "again.jsonl"
    command(preferences, f"run={sums_run}", f"path={again}", "max_tokens=4", "prompts=3")
    few = [json.loads(line) for line in again.read_text().splitlines()]
    assert len(few) <= 9 and all(row in rows for row in few)
    options = (
        "task=dpo", "data=preferences", f"data.path={path}", "data.split_column=split",
        "data.template='{prompt}'", "data.verifier=sums", *SIZE[:1], f"init.from={sums_run}",
        f"teacher.from={sums_run}", "trainer.max_steps=2", "trainer.eval_steps=2",
        "task.max_tokens=4",
    )  # fmt: skip
    longer = ("data.block_size=500", "init.resize=[position]")
    line = refused(train(*options, *longer), train.outputs)
    assert "data.block_size=500: the network of teacher.from reads 16 tokens" in line
    trains = train(*options, "data.block_size=16")
    assert trains.code == 0, trains.err
    result = json.loads((trains.path / "result.json").read_text())
    assert {"accepted", "start_accepted", "kl", "margin"} <= result["test"].keys()
    assert (trains.path / "previews").is_dir()
    said = command(predict, f"run={trains.path}", "input=1+2=", "max_tokens=3")
    assert said.code == 0, said.err
    out = tmp_path / "exported"
    assert command(export, f"run={trains.path}", "format=hf", f"out={out}").code == 0
    tokenizer = json.loads((out / "tokenizer_config.json").read_text())
    assert tokenizer["padding_side"] == "left" and (out / "generation_config.json").is_file()


def test_both_answers_may_be_the_models_own(sums_run, command, tmp_path):
    path = tmp_path / "own.jsonl"
    options = (f"run={sums_run}", f"path={path}", "max_tokens=4", "better=own", "samples=40")
    done = command(preferences, *options)
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        first, second = row["prompt"].rstrip("=").split("+")
        right = int(first) + int(second)
        assert int(row["chosen"]) == right and row["rejected"].strip() != str(right)


def test_one_file_may_have_pairs_of_both_kinds(sums_run, command, tmp_path):
    rows = {}
    for better in ("response", "own", "both"):
        path = tmp_path / f"{better}.jsonl"
        done = command(
            preferences, f"run={sums_run}", f"path={path}", "max_tokens=4", f"better={better}",
            "samples=8",
        )  # fmt: skip
        assert done.code == 0, done.err
        rows[better] = path.read_text().splitlines()

    def of(better, *splits):
        return [row for row in map(json.loads, rows[better]) if row["split"] in splits]

    own = of("own", "train")
    data = [row for row in of("response", "train") if row["prompt"] in {r["prompt"] for r in own}]
    both = of("both", "train")
    assert own and both[1::2] == own and both[::2] == data
    assert of("both", "val", "test") == of("response", "val", "test") != []


def test_what_cannot_be_asked_is_refused(sums_run, command, tmp_path):
    path = tmp_path / "pairs.jsonl"
    for options, message in (
        ((f"run={sums_run}", f"path={path}", "samples=0"), "samples=0: expected a whole number"),
        ((f"run={sums_run}", f"path={path}", "better=mine"), "unknown better 'mine'"),
        ((f"run={sums_run}", f"path={path}", "data=sums"), "the prompts are those of the run's"),
    ):
        assert message in refused(command(preferences, *options), tmp_path)
    path.write_text("")
    done = command(preferences, f"run={sums_run}", f"path={path}")
    assert done.code == 2 and "is there already" in done.err


def test_of_conversations_the_last_answer_is_preferred(trained, command, train, tmp_path):
    chats = tmp_path / "chats.jsonl"
    talks = [
        [("user", f"{k}?"), ("assistant", "ab"), ("user", "and?"), ("assistant", "ba")]
        for k in range(30)
    ]
    rows = [{"messages": [{"role": r, "content": c} for r, c in talk]} for talk in talks]
    chats.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    run = trained("chats", *SIZE, "data=sft", f"data.path={chats}", "task=causal_lm")
    path = tmp_path / "pairs.jsonl"
    done = command(preferences, f"run={run}", f"path={path}", "max_tokens=80", "samples=8")
    assert done.code == 0, done.err
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert {row["split"] for row in found} == {"train", "val", "test"}
    for row in found:
        assert [*row["prompt"], *row["chosen"]] in [row["messages"] for row in rows]
        assert row["rejected"][0]["role"] == "assistant" and row["rejected"] != row["chosen"]
    trains = train(
        "task=dpo", "data=preferences", f"data.path={path}", "data.split_column=split", *SIZE[:1],
        f"init.from={run}", f"teacher.from={run}", "trainer.max_steps=2", "trainer.eval_steps=2",
    )  # fmt: skip
    assert trains.code == 0, trains.err
    said = command(predict, f"run={trains.path}", "chat=true", "input=1?", "max_tokens=3")
    assert said.code == 0, said.err
    told = command(evaluate, f"run={trains.path}", "device=cpu")
    assert told.code == 0 and "the data changed" not in told.err
    told = command(evaluate, f"run={run}", "data=preferences", f"data.path={path}", "device=cpu")
    assert told.code == 2 and "a run of task=causal_lm on conversations cannot read" in told.err
    told = command(preferences, f"run={trains.path}", f"path={tmp_path / 'more.jsonl'}")
    assert told.code == 2 and "of its data=preferences no answers are known" in told.err
