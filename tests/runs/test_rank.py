"""Ranking: against means and deviations of numpy; which runs are compared with which."""

import math
import os
import random

import numpy
import pytest
from support import write_run

from zoo.errors import UserError
from zoo.runs.rank import Spread, larger_is_better, rank
from zoo.runs.records import read_runs


def ranked(folder, *arguments, **options):
    return rank(read_runs([folder])[0], *arguments, **options)


def test_means_deviations_and_order_are_those_of_numpy(tmp_path):
    rng = random.Random(0)
    expected = {}
    for lr in (0.001, 0.003, 0.01, 0.03):
        for width in (8, 16):
            scores = [rng.random() for _ in range(rng.randint(1, 5))]
            expected[lr, width] = scores
            for seed, score in enumerate(scores):
                path = tmp_path / f"{lr}-{width}-{seed}"
                write_run(path, score, score / 2, seed=seed, optim__lr=lr, model__width=width)
    (table,), unranked = ranked(tmp_path)
    assert not unranked and table.metric == "val/accuracy" and table.larger
    assert sorted(table.columns) == ["model.width", "optim.lr"]
    order = sorted(expected, key=lambda key: -numpy.mean(expected[key]))
    for group, key in zip(table.groups, order, strict=True):
        assert (group.settings["optim.lr"], group.settings["model.width"]) == key
        scores = expected[key]
        assert len(group.runs) == len(scores)
        assert group.score.mean == pytest.approx(numpy.mean(scores))
        assert group.figure("test/accuracy").mean == pytest.approx(numpy.mean(scores) / 2)
        if len(scores) > 1:
            assert group.score.deviation == pytest.approx(numpy.std(scores, ddof=1))
        else:
            assert math.isnan(group.score.deviation)


def test_a_split_that_the_recipe_fixes_is_one_line(tmp_path):
    """Its number is that of a seed: the run of that seed is no other setting."""
    for seed in range(3):
        write_run(tmp_path / str(seed), 0.5 + seed / 10, seed=seed, data__split_seed=0)
        write_run(tmp_path / f"follows{seed}", 0.1, seed=seed, experiment="other")
    fixed, follows = ranked(tmp_path)[0]
    assert [len(group.runs) for group in fixed.groups] == [3] and fixed.columns == []
    assert [len(group.runs) for group in follows.groups] == [3]


def test_the_newer_of_two_is_that_which_ended_last_not_the_newest_copy(tmp_path):
    for name, day, score in (("new", 2, 0.9), ("old", 1, 0.1)):  # the older is copied last
        write_run(tmp_path / name, score, result={"ended": f"2026-11-0{day}T10:00:00.000+00:00"})
        os.utime(tmp_path / name / "result.json", (9e8 - day, 9e8 - day))
    (table,), _ = ranked(tmp_path)
    assert table.repeats == 1 and table.groups[0].score.mean == 0.9
    write_run(tmp_path / "copied before it was recorded", 0.5, result={"ended": "yesterday"})
    assert ranked(tmp_path)[0][0].groups[0].score.mean == 0.5, "by the date of its file"


def test_group_by_none_gives_a_line_for_each_run(tmp_path):
    for seed in range(3):
        write_run(tmp_path / str(seed), 0.5 + seed / 10, seed=seed)
    (table,), _ = ranked(tmp_path, over=())
    assert [group.settings["seed"] for group in table.groups] == [2, 1, 0]
    assert table.columns == ["seed"]


def test_folds_are_averaged_over_when_asked(tmp_path):
    for fold in range(3):
        write_run(tmp_path / str(fold), fold / 10, data__fold=fold)
    (table,), _ = ranked(tmp_path, over=("data.fold",))
    assert table.groups[0].score.mean == pytest.approx(0.1) and table.columns == []
    assert len(ranked(tmp_path)[0][0].groups) == 3
    with pytest.raises(UserError, match="no run has such a setting; did you mean 'data.fold'"):
        ranked(tmp_path, over=("data.fol",))


def test_losses_are_better_if_lower(tmp_path):
    for k, loss in enumerate((0.5, 0.1, math.nan, 0.3)):
        write_run(tmp_path / str(k), {"loss": loss}, model__width=k, result={"monitor": "-loss"})
    (table,), _ = ranked(tmp_path)
    assert [group.settings["model.width"] for group in table.groups] == [1, 3, 0, 2], "nan last"
    assert not table.larger


@pytest.mark.parametrize(
    ("metric", "monitor", "larger"),
    [("val/accuracy", "accuracy", True), ("val/loss", "accuracy", False), ("test/r2", "-loss", 1),
     ("test/bits_per_byte", "-loss", False), ("val/perplexity", "-loss", False),
     ("val/bleu", "bleu", True), ("test/rmse", "-loss", False), ("val/error", "error", True),
     ("test/accuracy_gap", "-loss", False), ("test/drawn_accuracy", "-loss", True),
     ("test/pixel_distance", "accuracy", False), ("test/cross_entropy", "accuracy", False),
     ("test/restoration", "-loss", False), ("test/kl", "exact_match", False)],
)  # fmt: skip
def test_direction(metric, monitor, larger):
    assert larger_is_better(metric, monitor) is bool(larger)


def test_the_direction_is_that_of_the_run_that_monitors_the_metric(tmp_path):
    for name, monitor in (("a", "accuracy"), ("b", "-wer")):
        values = {"accuracy": 0.5, "wer": 0.2 if name == "a" else 0.3}
        write_run(tmp_path / name, values, experiment=name, result={"monitor": monitor})
    (table,), _ = ranked(tmp_path, "val/wer")
    assert not table.larger and table.groups[0].runs[0].path.name == "a"


def test_losses_of_tokenizers_are_not_compared(tmp_path):
    """Fewer tokens a text have larger losses: bits per byte compare."""
    for seed, (tokenizer, loss, bits) in enumerate((("byte", 1.2, 2.1), ("bpe", 3.1, 1.9))):
        values = {"loss": loss, "accuracy": 0.5, "bits_per_byte": bits}
        more = {"data__tokenizer": tokenizer, "task__name": "causal_lm", "seed": seed}
        write_run(tmp_path / tokenizer, values, result={"monitor": "-loss"}, **more)
    for metric in (None, "val/accuracy"):
        titles = [table.title for table in ranked(tmp_path, metric)[0]]
        assert titles == ["toy on rain data.tokenizer=bpe", "toy on rain data.tokenizer=byte"]
    (table,), _ = ranked(tmp_path, "val/bits_per_byte")
    assert [g.settings["data.tokenizer"] for g in table.groups] == ["bpe", "byte"]


def test_the_tokenizer_of_classified_texts_is_a_setting(tmp_path):
    for tokenizer in ("byte", "bpe"):
        more = {"data__tokenizer": tokenizer, "task__name": "classification"}
        write_run(tmp_path / tokenizer, {"loss": 0.5}, result={"monitor": "-loss"}, **more)
    (table,), _ = ranked(tmp_path)
    assert table.columns == ["data.tokenizer"]


def test_experiments_are_not_compared_unless_a_metric_is_named(tmp_path):
    write_run(tmp_path / "a", 0.5, 0.6, experiment="a", model__width=4)
    write_run(tmp_path / "b", 0.7, 0.4, experiment="b", model__width=8)
    write_run(tmp_path / "c", 0.9, 0.9, experiment="a", data__name="iris")
    tables, _ = ranked(tmp_path)
    assert [(t.experiment, t.data) for t in tables] == [("a", "rain"), ("b", "rain"), ("a", "iris")]
    rain, iris = ranked(tmp_path, "test/accuracy")[0]
    assert [group.runs[0].experiment for group in rain.groups] == ["a", "b"]
    assert rain.columns == ["experiment"], "all that differs follows from it"
    assert iris.data == "iris"
    write_run(tmp_path / "d", 0.1, 0.1, experiment=None, model__name="cnn", typed=["model=cnn"])
    rain = ranked(tmp_path, "test/accuracy")[0][0]
    assert rain.columns == ["experiment", "model.name", "model.width"], "a run without experiment"
    assert rain.constant == {}


def test_other_files_and_losses_of_other_tasks_are_apart(tmp_path):
    """An accuracy is the same in each task; distillation reports the loss of the labels."""
    tasks = {"classification": 0.5, "distill": 0.4, "elbo": 90.0}
    for name, loss in tasks.items():
        write_run(tmp_path / "tasks" / name, {"loss": loss, "accuracy": 0.5}, task__name=name)
    (labels, elbo), _ = ranked(tmp_path / "tasks", "val/loss")
    assert [group.settings["task.name"] for group in labels.groups] == ["distill", "classification"]
    assert (labels.title, elbo.title) == ("toy on rain", "toy on rain task=elbo")
    assert len(ranked(tmp_path / "tasks", "val/accuracy")[0]) == 1
    for name, width in (("a", 4), ("a", 8), ("b", 4)):
        data = {"data__name": "csv", "data__target": "price", "data__path": f"{name}.csv"}
        write_run(tmp_path / "files" / f"{name}{width}", 0.5, model__width=width, **data)
    tables = ranked(tmp_path / "files")[0]
    assert [(table.title, len(table.groups)) for table in tables] == [
        ("toy on csv data.path=a.csv", 2), ("toy on csv data.path=b.csv", 1),
    ]  # fmt: skip


def test_a_metric_that_only_some_have(tmp_path):
    write_run(tmp_path / "a", 0.5, {"accuracy": 0.5, "f1": 0.4})
    write_run(tmp_path / "b", 0.7, {"accuracy": 0.5}, model__width=16)
    (table,), (lacking,) = ranked(tmp_path, "test/f1")
    assert [run.path.name for run in table.runs] == ["a"]
    assert lacking.path.name == "b" and "it has no test/f1; it has test/accuracy" in lacking.reason
    with pytest.raises(UserError, match=r"unknown metric 'test/f2'; did you mean 'test/f1'\?"):
        ranked(tmp_path, "test/f2")


def test_the_newest_of_equal_runs_counts(tmp_path):
    for name, score in (("1", 0.5), ("2", 0.9)):
        write_run(tmp_path / name, score, seed=3)
    (table,), _ = ranked(tmp_path)
    assert table.repeats == 1 and [run.path.name for run in table.runs] == ["2"]
    (table,), _ = ranked(tmp_path, over=())
    assert len(table.runs) == 2


def test_data_that_changed_under_equal_settings_is_reported(tmp_path):
    for name, sha, width in (("1", "d1", 4), ("2", "d2", 8)):
        write_run(tmp_path / name, 0.5, model__width=width, result={"data": {"sha256": sha}})
    (table,), _ = ranked(tmp_path)
    assert {run.path.name for run in table.changed} == {"1", "2"}
    write_run(tmp_path / "3" / "a", 0.5, data__samples=5, result={"data": {"sha256": "d3"}})
    assert ranked(tmp_path / "3")[0][0].changed is None
    for width, data in ((4, {"sha256": "d1"}), (8, {})):  # of the second it is not known
        write_run(tmp_path / "4" / str(width), 0.5, model__width=width, result={"data": data})
    assert ranked(tmp_path / "4")[0][0].changed is None


def test_a_split_that_was_set_is_a_setting_and_one_that_follows_the_seed_is_not(tmp_path):
    for seed in (0, 1):
        write_run(tmp_path / "a" / str(seed), 0.5, seed=seed)
        write_run(
            tmp_path / "b" / str(seed), 0.5, data__split_seed=seed, typed=["data.split_seed=1"]
        )
    assert len(ranked(tmp_path / "a")[0][0].groups) == 1
    assert ranked(tmp_path / "b")[0][0].columns == ["data.split_seed"]


def test_one_value_has_no_deviation():
    assert Spread.of([1.0]).mean == 1.0 and math.isnan(Spread.of([1.0]).deviation)
    assert math.isnan(Spread.of([1.0, math.inf]).mean)
