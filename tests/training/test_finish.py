"""The end of a run: expectations, the final evaluation, result.json."""

import json
import shutil
import subprocess

import pytest
from toys import Masked, cloud, network, same, trainer_of, weights

from zoo.errors import UserError
from zoo.training import finish

FIGURES = {"val": {"loss": 0.5}, "test": {"accuracy": 0.9, "loss": 0.4}}


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        (">= 0.985", (">=", 0.985)),
        ("<= 1e-3", ("<=", 0.001)),
        ("> 0", (">", 0.0)),
        (" < -2 ", ("<", -2.0)),
    ],
)
def test_expectations_are_read(text, parsed):
    assert finish.parse_expectation("x", text) == parsed


@pytest.mark.parametrize("text", ["0.9", 0.9, ">=0.9", "=> 1", ">= high", "", None, ">=", "== 1"])
def test_expectations_of_another_form(text):
    with pytest.raises(UserError, match="expect.test/x: got .*, expected a comparison"):
        finish.parse_expectation("test/x", text)


def test_each_expectation_is_compared_with_the_result():
    expect = {"test/accuracy": ">= 0.9", "test/loss": "< 0.4", "val/loss": "<= 0.5"}
    actual = finish.check_expectations(expect, FIGURES, pytest.fail)
    assert [actual[name]["met"] for name in expect] == [True, False, True]
    assert actual["test/loss"] == {"expected": "< 0.4", "reached": 0.4, "met": False}
    assert finish.check_expectations({}, FIGURES, pytest.fail) == {}


def test_an_expectation_of_something_else_is_said_and_costs_no_result():
    """As of a recipe whose task is told to do without classes."""
    said, expect = [], {"test/acuracy": "> 1", "test/loss": "< 1"}
    actual = finish.check_expectations(expect, FIGURES, said.append)
    assert list(actual) == ["test/loss"] and len(said) == 1
    assert "expect.test/acuracy is not checked: the run has no such metric; did you" in said[0]
    assert "'test/accuracy'" in said[0]


def test_the_best_weights_are_evaluated_not_the_last(tmp_path):
    trainer = trainer_of(
        tmp_path, cloud(), network(), Masked(), max_steps=12, eval_steps=3, save_steps=3,
        optim={"name": "sgd", "lr": 0.05, "weight_decay": 0.0},
    )  # fmt: skip
    evaluated = []
    update_best = trainer.update_best

    def worse_later(figures):
        update_best(figures | {"loss": figures["loss"] + 100 * (trainer.step > 3)})
        evaluated.append(weights(trainer.model))

    trainer.update_best = worse_later
    trainer.fit()
    assert trainer.best.step == 3 and not same(evaluated[0], evaluated[-1])
    figures, details = finish.evaluate_best(trainer)
    assert same(weights(trainer.model), evaluated[0]) and details == {}
    assert figures["val"] == trainer.best.metrics


@pytest.mark.parametrize("left", [[], [3]])
def test_figures_are_never_those_of_best_weights_that_are_lost(tmp_path, left):
    """As where a folder was tidied, or its newest checkpoint is damaged."""
    trainer = trainer_of(
        tmp_path, cloud(), network(), Masked(), max_steps=9, eval_steps=3, save_steps=3,
        optim={"name": "sgd", "lr": 0.05, "weight_decay": 0.0},
    )  # fmt: skip
    update_best, said = trainer.update_best, []
    trainer.console.warn = said.append
    trainer.update_best = lambda figures: update_best(
        figures | {"loss": figures["loss"] + 100 * (trainer.step > 6)}
    )
    trainer.fit()
    assert trainer.best.step == 6
    for step in {3, 6} - set(left):
        shutil.rmtree(trainer.checkpoints.path("best", step))
    figures, _ = finish.evaluate_best(trainer)
    _, actual = trainer.evaluate("val")  # of the weights that the test split was evaluated with
    assert figures["val"] == actual != trainer.best.metrics
    assert "the best weights, of step 6, are lost" in said[-1]
    assert f"those of step {left[0] if left else 9}" in said[-1]


def test_result_json_says_what_ranks_and_repeats_a_run(train):
    done = train(
        "model=mlp", "data=rain", "data.samples=100", "trainer=debug",
        "expect={test/accuracy: '>= 2', val/loss: '< 100'}",
    )  # fmt: skip
    assert done.code == 0  # an expectation that is not met is reported, not an error
    result = json.loads((done.path / "result.json").read_text())
    assert result["status"] == "done" and result["reason"] is None
    assert result["command"].startswith("python ")
    assert result["expect"]["test/accuracy"]["met"] is False
    assert result["expect"]["val/loss"]["met"] is True
    assert "NOT MET" in done.out
    assert result["seed"] == 0 and result["model"] == "mlp" and result["precision"] == "fp32"
    assert result["data"]["sizes"] == {"train": 64, "val": 10, "test": 20}
    assert len(result["data"]["sha256"]) == 64 and result["environment"]["ranks"] == 1
    assert result["steps"] == 6 and result["seconds"] > 0 and result["rate"] > 0
    assert result["best"]["step"] in (3, 6) and result["parameters"] > 0


def test_a_failure_is_written_too(train, monkeypatch):
    from zoo.training.trainer import Trainer

    def broken(self, micro_batches):
        raise KeyError("a bug")

    monkeypatch.setattr(Trainer, "train_step", broken)
    with pytest.raises(KeyError):
        train("model=mlp", "data=rain", "data.samples=100", "trainer=debug")
    (path,) = train.outputs.glob("*/*/result.json")
    result = json.loads(path.read_text())
    assert result["status"] == "failed" and result["reason"] == "KeyError: 'a bug'"


def test_the_commit_is_known_where_there_is_git(monkeypatch):
    assert finish.commit() is None or len(finish.commit().removesuffix("-dirty")) == 40

    def absent(*args, **kwargs):
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", absent)
    finish.commit.cache_clear()
    assert finish.commit() is None
    finish.commit.cache_clear()
