"""The trivial answer beside a result: learnt from the training split, beaten or not, and why."""

import json
import math
from types import SimpleNamespace

import forked
import pytest
import torch
from toys import HERE, Plain

from zoo.data.dataset import Dataset, TensorSource
from zoo.tasks.base import Baseline
from zoo.training import baseline as baselines
from zoo.training.baseline import Yardstick, is_beaten, learn_baseline
from zoo.training.budget import Best
from zoo.training.loader import Loader
from zoo.training.runtime import Runtime


class Counter:
    """A task that counts the tokens of the training split."""

    monitor = "-loss"

    def baseline_counts(self, batch):
        return torch.bincount(batch["input"].flatten(), minlength=5)

    def learn_baseline(self, counts):
        self.counts = counts


class Always:
    """A task whose trivial answer has a loss of 2 and an accuracy of 0.9."""

    monitor = "accuracy"
    hint = ""

    def summarize(self, means):
        return dict(means)

    def baseline(self, means):
        return Baseline("always no", {"loss": 2.0, "accuracy": 0.9}, self.hint)


def loader_of(tokens):
    split = TensorSource({"input": tokens})
    dataset = Dataset({}, {"train": split, "val": split, "test": split}, Plain(), "x")
    return Loader(dataset, 4, 0, HERE)


def tokens():
    return torch.randint(5, (31, 3), generator=torch.Generator().manual_seed(0))


def test_counts_are_of_the_whole_training_split():
    task = Counter()
    learn_baseline(task, loader_of(tokens()), HERE)
    assert task.counts.tolist() == torch.bincount(tokens().flatten(), minlength=5).tolist()


def test_a_very_large_split_is_sampled_evenly(monkeypatch):
    monkeypatch.setattr(baselines, "VALUES", 30)
    sorted_ones = torch.arange(5).repeat_interleave(6)[:, None].repeat(1, 3)  # 90: every third
    task = Counter()
    learn_baseline(task, loader_of(sorted_ones), HERE)
    assert task.counts.tolist() == [6] * 5


def test_a_tie_is_not_a_win_and_the_test_split_decides():
    trivial = {"val": {"accuracy": 0.9}, "test": {"accuracy": 0.9}}
    for value, beaten in ((0.9, False), (0.91, True), (0.2, False)):
        row = {"val": {"accuracy": 1.0}, "test": {"accuracy": value}}
        assert is_beaten(trivial, row, "accuracy") is beaten
    assert is_beaten({"val": {"loss": 2.0}}, {"val": {"loss": 1.9}, "test": {}}, "-loss") is True
    assert is_beaten(trivial, {"val": {"auc": 1.0}, "test": {"auc": 1.0}}, "auc") is None
    nan = {"val": {"accuracy": math.nan}, "test": {"accuracy": math.nan}}
    assert is_beaten(trivial, nan, "accuracy") is None


def yardstick(task, train, best, val, accuracy):
    """After a run with these losses and this accuracy."""
    stick = Yardstick(task, SimpleNamespace(), HERE)
    stick.summarize("train", {"loss": train})
    stick.summarize("val", {"loss": val, "accuracy": accuracy})
    stick.summarize("test", {"loss": val, "accuracy": accuracy})
    metrics = {split: {"loss": val, "accuracy": accuracy} for split in ("val", "test")}
    return stick, metrics, Best(100, [accuracy, -best], {"loss": best, "accuracy": accuracy})


@pytest.mark.parametrize(
    ("train", "best", "val", "steps", "hint", "likely"),
    [
        (2.1, 2.0, 2.0, 1000, "", "optim.lr=0.1 is too high or too low"),
        (2.1, 2.0, 2.0, 20, "", "only 20 steps (train longer)"),
        (0.1, 1.9, 2.0, 1000, "", "learnt by heart: the training loss is 0.1000"),
        (2.5, 1.5, 9.0, 1000, "", "rose from 1.5000 at step 100 to 9.0000"),
        (1.9, 1.9, 1.9, 1000, "the classes are imbalanced", "the classes are imbalanced"),
    ],
)
def test_a_run_that_does_not_beat_it_says_why_in_one_line(train, best, val, steps, hint, likely):
    task = Always()
    task.hint = hint
    stick, metrics, kept = yardstick(task, train, best, val, 0.9)
    assert stick.entry(metrics)["beaten"] is False
    line = stick.shortfall(metrics, kept, steps, 0.1)
    assert line.startswith("no better than the trivial answer (always no): test accuracy 0.9000 ")
    assert likely in line and "\n" not in line


def test_only_what_has_targets_may_have_wrong_ones():
    class Draws(Always):
        def judge(self, model, train, test, samples=None, features=None):
            return {}

    for task, has_targets in ((Always(), True), (Draws(), False)):
        stick, metrics, kept = yardstick(task, 2.1, 2.0, 2.0, 0.9)
        line = stick.shortfall(metrics, kept, 1000, 0.1)
        assert ("are the labels in order" in line) is has_targets


def test_a_task_without_one_has_no_entry():
    stick = Yardstick(Counter(), loader_of(torch.zeros(8, 3, dtype=torch.int64)), HERE)
    stick.task.summarize = dict
    stick.summarize("val", {"loss": 1.0})
    assert stick.entry({"val": {"loss": 1.0}, "test": {"loss": 1.0}}) is None
    assert not stick.lacks("test")


def count_on_a_rank(folder, rank):
    """What one of two ranks learns of a split that they share unevenly."""
    runtime = Runtime.start("cpu")
    split = TensorSource({"input": tokens()})
    dataset = Dataset({}, {"train": split, "val": split, "test": split}, Plain(), "x")
    task = Counter()
    learn_baseline(task, Loader(dataset, 4, 0, runtime), runtime)
    (folder / f"{rank}.json").write_text(json.dumps(task.counts.tolist()))
    runtime.stop()
    return 0


def test_two_ranks_learn_what_one_does(tmp_path):
    log = tmp_path / "log"
    assert forked.call_ranks(log, count_on_a_rank, tmp_path) == [0, 0], log.read_text()
    task = Counter()
    learn_baseline(task, loader_of(tokens()), HERE)
    for rank in range(2):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == task.counts.tolist()
