"""What a network has to beat, on the recipes' splits: what is printed and what is kept."""

import json
import random
from functools import partial

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyClassifier
from sklearn.tree import DecisionTreeClassifier

from benchmarks import baselines, classical
from benchmarks.trivial import prepared, trivial_answer
from zoo.errors import UserError


def text(folder):
    words = random.Random(0).choices(["one", "two", "three", "four"], k=2000)
    (folder / "novel.txt").write_text(" ".join(words))
    return folder / "novel.txt"


def test_the_usual_models_and_the_trivial_answer_are_kept(tmp_path, capsys):
    (tmp_path / "docs").mkdir()
    words = ["experiments=mlp_breast_cancer", "seeds=0", "write=true"]
    assert baselines.main(words, root=tmp_path) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "mlp_breast_cancer" in line]
    row = json.loads((tmp_path / "docs" / "baselines.json").read_text())["mlp_breast_cancer"]
    kinds = ["logistic regression", "support vector machine", "boosted trees"]
    assert list(row["models"]) == kinds and row["metrics"] == row["models"][row["name"]]
    assert all(row["models"][kind]["test/accuracy"]["mean"] > 0.9 for kind in kinds)
    assert [row["name"] in line for line in lines] == [" * " in line for line in lines]
    malignant = load_breast_cancer().target
    majority = max(malignant.mean(), 1 - malignant.mean())
    assert row["trivial"]["name"] == "majority class"
    assert row["trivial"]["metrics"]["test/accuracy"]["mean"] == pytest.approx(majority, abs=0.02)


def test_a_translation_has_a_trivial_answer_alone(tmp_path, capsys):
    rows = ["a\tb", "b\ta", "c\tc", "d\te"]  # one source in four is its own target
    (tmp_path / "pairs.tsv").write_text("".join(f"{k} {row}\n" for k in range(9) for row in rows))
    words = ["model=rnn_attention", "task=seq2seq", "task.metric=exact_match", "data=pairs"]
    assert baselines.main([*words, f"data.path={tmp_path / 'pairs.tsv'}", "seeds=0"]) == 0
    said = capsys.readouterr().out
    assert "unigram; copy of the source" in said and "no classical model is usual" in said


def test_held_out_data_chooses_and_the_test_split_does_not(monkeypatch):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(300, 2))
    answers = {"train": x[:, 0] > 0, "val": x[:, 0] > 0, "test": np.ones(300, bool)}
    monkeypatch.setattr(classical, "_samples", lambda data, split: (x, answers[split].astype(int)))
    kinds = [
        ("constant", partial(DummyClassifier, strategy="constant", constant=1)),
        ("tree", partial(DecisionTreeClassifier, max_depth=1)),
    ]
    found = classical._best(None, kinds, "test/accuracy")
    assert found.name == "tree" and found.metrics == found.models["tree"]
    assert found.models["constant"]["test/accuracy"] == 1 > found.metrics["test/accuracy"]


def test_the_trivial_answer_is_that_of_a_run(tmp_path, data_root, capsys):
    """Of two kinds: one of the sums of an evaluation, and one that is learnt before it."""
    from zoo.commands.train import main as train
    from zoo.runs.directory import find_runs

    for model, words in (
        ("mlp", ["model=mlp", "data=diabetes", "task=regression", f"data.root={data_root}"]),
        ("rnn", ["model=rnn", "task=causal_lm", "data=text", f"data.path={text(tmp_path)}",
                 "data.tokenizer=char", "data.block_size=16", f"data.root={tmp_path}"]),
    ):  # fmt: skip
        steps = ["trainer.max_steps=1", "trainer.precision=fp32", f"output_dir={tmp_path / model}"]
        assert train([*words, *steps, "trainer.device=cpu", "model.width=16"]) == 0
        (run,) = find_runs(tmp_path / model)
        expected = json.loads((run / "result.json").read_text())["baseline"]
        config, dataset = prepared(words, str(data_root))
        found = trivial_answer(config, dataset)
        assert found.name == expected["name"]
        got = {name.removeprefix("test/"): value for name, value in found.metrics.items()}
        assert got == pytest.approx(expected["test"], rel=1e-6)


@pytest.mark.parametrize(
    "words",
    [
        ["experiments=mlp_digit"],
        ["seeds=a"],
        ["write=yes"],
        ["lr=1"],
        ["data=rain", "write=true"],
        ["data=rain", "experiments=mlp_rain"],
    ],
)
def test_what_is_not_understood_is_refused(words):
    with pytest.raises(UserError):
        baselines.main(words)
