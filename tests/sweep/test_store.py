"""The state of a sweep on disk."""

import json

import pytest

from zoo.errors import UserError
from zoo.sweep.store import SweepState
from zoo.sweep.trials import Trial


@pytest.fixture
def state(tmp_path):
    trials = [Trial("lr=1", ("optim.lr=1",)), Trial("001,lr=2", ("optim.lr=2",), 1)]
    return SweepState.create(tmp_path, trials, "python train.py -m", {"method": "tpe"})


def finish(state, trial, **result):
    state.folder(trial).mkdir(exist_ok=True)
    (state.folder(trial) / "result.json").write_text(json.dumps(result))


def test_it_is_read_as_it_was_written(state):
    assert SweepState.open(str(state.path)) == state


def test_the_keys_of_its_file_are_those_of_version_1(state):
    """Sweeps made by any version of the code can be resumed and compared by any other."""
    content = json.loads((state.path / "sweep.json").read_text())
    assert content == {
        "version": 1,
        "command": "python train.py -m",
        "search": {"method": "tpe"},
        "members": [
            {"name": "lr=1", "overrides": ["optim.lr=1"], "trial": None},
            {"name": "001,lr=2", "overrides": ["optim.lr=2"], "trial": 1},
        ],
    }
    state.record(state.trials[0], ended=0, reason="")
    attempt = json.loads((state.path / "attempts.jsonl").read_text())
    assert attempt["member"] == "lr=1" and attempt["ended"] == 0 and attempt["reason"] == ""


@pytest.mark.parametrize(
    ("result", "done", "score"),
    [
        ({}, False, None),
        ({"status": "failed", "monitor": "-loss"}, False, None),
        ({"status": "done", "monitor": "-loss", "best": {"loss": 0.5}}, True, -0.5),
        ({"status": "done", "monitor": "accuracy", "best": {"accuracy": 0.5}}, True, 0.5),
        ({"status": "pruned", "best": {"loss": float("nan")}}, True, None),
    ],
)
def test_results_and_scores(state, result, done, score):
    trial = state.trials[0]
    finish(state, trial, **result)
    assert state.done(trial) == done and state.score(trial) == score


def test_an_interrupted_trial_is_pruned_and_others_are_not(state):
    for trial, status in zip(state.trials, ("interrupted", "failed"), strict=True):
        finish(state, trial, status=status)
        state.prune(trial, "it falls behind")
    assert state.result(state.trials[0]) == {"status": "pruned", "reason": "it falls behind"}
    assert state.result(state.trials[1]) == {"status": "failed"}


def test_a_trial_resumes_from_its_checkpoint_or_starts_over(state):
    trial = state.trials[0]
    assert state.prepare_folder(trial) is None, "it has no folder"
    (state.folder(trial) / "checkpoints" / "last-00000004").mkdir(parents=True)
    assert state.prepare_folder(trial).path == state.folder(trial)
    finish(state, trial, status="failed")
    assert state.prepare_folder(trial) is None and not state.folder(trial).exists()


def test_locks(state):
    first, second = state.trials
    assert not state.is_locked(first)
    with state.locked(first):
        assert state.is_locked(first) and not state.is_locked(second)
        with pytest.raises(UserError, match="another process is running lr=1"):
            state.locked(first, timeout=0).__enter__()
    assert not state.is_locked(first)


def test_an_empty_sweep_is_removed_with_its_parents(tmp_path):
    state = SweepState.create(tmp_path / "outputs" / "name", [], "", None)
    assert state.is_empty()
    (state.path / "table.txt").write_text("a result")
    assert not state.is_empty()
    state.remove()
    assert list(tmp_path.iterdir()) == []
