"""Two runs: what differs, and where their losses diverge."""

import json

import pytest
from support import write_run

from zoo.errors import UserError
from zoo.runs.diff import diff, find_divergence
from zoo.runs.records import Record


def record(*arguments, **options):
    return Record.read(write_run(*arguments, **options))


def test_settings_facts_and_results(tmp_path):
    first = record(tmp_path / "a", 0.5, 0.25)
    result = {"commit": "b" * 40, "data": {"sha256": "d2"}, "precision": "bf16"}
    result["environment"] = {"torch": "2.12", "python": "3.12", "device": "cpu", "threads": 2}
    second = record(tmp_path / "b", 0.75, 0.5, optim__lr=0.1, model__depth=3, result=result)
    difference = diff(first, second)
    assert difference.settings == [("optim.lr", 0.01, 0.1), ("model.depth", "-", 3)]
    facts = {name: pair for name, *pair in difference.facts}
    assert facts == {
        "commit": ["a" * 40, "b" * 40], "data sha256": ["d1", "d2"], "precision": ["fp32", "bf16"],
        "torch": ["2.13", "2.12"], "threads": [1, 2],
    }  # fmt: skip
    assert difference.metrics == [("test/accuracy", 0.25, 0.5), ("val/accuracy", 0.5, 0.75)]
    assert difference.divergence is None, "neither has reported"


def test_the_first_step_at_which_losses_diverge(tmp_path):
    last = 0.3 + 2**-54  # the next number after 0.3
    assert last != 0.3
    first = record(tmp_path / "a", losses=[0.5, 0.4, 0.3, 0.2])
    second = record(tmp_path / "b", losses=[0.5, 0.4, last, 0.1, 0.05])
    divergence = find_divergence(first, second)
    assert (divergence.metric, divergence.equal, divergence.together, divergence.step) == (
        "train/loss",
        2,
        20,
        30,
    )
    assert divergence.values == (0.3, last) and divergence.end == (40, 0.2, 0.1)
    equal = find_divergence(first, record(tmp_path / "c", losses=[0.5, 0.4, 0.3]))
    assert (equal.equal, equal.together, equal.step) == (3, 30, None)


def test_means_over_other_steps_are_not_compared(tmp_path):
    """A report's training loss is the mean since the one before; validation's is of its step."""
    first, second = record(tmp_path / "a"), record(tmp_path / "b")
    for run, every, losses in ((first, 10, (0.5, 0.4, 0.3)), (second, 20, (0.45, 0.3))):
        rows = [{"step": every * k, "split": "train", "loss": v} for k, v in enumerate(losses, 1)]
        rows.append({"step": 20, "split": "val", "loss": 0.7})
        file = run.path / "metrics.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 4')  # killed
    divergence = find_divergence(first, second)
    assert divergence.metric == "val/loss" and divergence.step is None and divergence.equal == 1


def test_nothing_to_compare(tmp_path):
    first = record(tmp_path / "a", experiment="x")
    with pytest.raises(UserError, match="are the same run"):
        diff(first, Record.read(tmp_path / "a" / "checkpoints" / ".."))
    second = record(tmp_path / "b", experiment="y", data__name="iris")
    with pytest.raises(UserError, match="have nothing in common: another experiment on other data"):
        diff(first, second)
    assert diff(first, record(tmp_path / "c", experiment="y")), "the same data"
