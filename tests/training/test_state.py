"""The state of a training run: what a checkpoint holds, and back."""

import json

import pytest
import torch
from toys import Masked, cloud, network, same, trainer_of, weights

from zoo.errors import UserError
from zoo.training.budget import Best
from zoo.training.checkpoint import Checkpoint, read
from zoo.training.state import TrainState, check_base

KEYS = [
    "step", "evaluated", "best", "schedule", "precision", "metrics_bytes", "seconds", "grad_norm",
    "data_sha256", "base", "environment",
]  # fmt: skip
PLACE = {
    "torch": "2",
    "device": "cpu",
    "processor": "p",
    "kernels": "auto",
    "threads": 2,
    "ranks": 2,
}


def state(**given):
    tensors = {
        "model": {"w": torch.ones(2)},
        "optimizer": {"w|m": torch.zeros(2)},
        "ranks": {"0.rng.torch": torch.zeros(1), "1.rng.torch": torch.ones(1)},
        "ema": None,
    }
    best = Best(4, [0.5, -1.0], {"loss": 1.0}, 1)
    values = {"step": 8, "evaluated": 4, "best": best, "schedule": {}, "metrics_bytes": 12}
    values |= {"precision": {"name": "fp32", "scaler": {}}, "seconds": 1.5, "grad_norm": 0.25}
    values |= {"data_sha256": "a" * 64, "base": None, "environment": PLACE}
    return TrainState(**tensors | values | given)


def test_a_checkpoint_holds_these_files_and_keys(tmp_path):
    """The format on the disk: runs made before must load, and older code must read new ones."""
    trainer = trainer_of(tmp_path, cloud(), network(), Masked(), ema=0.9)
    trainer.fit()
    saved = read(trainer.run.checkpoints / "last-00000006")
    assert set(saved.tensors) == {"model", "optimizer", "ranks", "ema"}
    assert list(saved.state) == KEYS
    assert list(saved.state["best"]) == ["step", "value", "metrics", "waited"]
    assert saved.state["precision"] == {"name": "fp32", "scaler": {}}
    assert set(saved.tensors["ranks"]) == {"0.rng.torch", "0.rng.python", "0.rng.gauss"}


@pytest.mark.parametrize("ema", [None, {"w": torch.full((2,), 0.5)}])
def test_it_comes_back_from_a_checkpoint(ema):
    before = state(ema=ema)
    assert list(before.values()) == KEYS
    values = json.loads(json.dumps(before.values()))
    after = TrainState.read(Checkpoint(None, 8, before.tensors(), values))
    assert after.best == before.best and after.values() == before.values()
    assert after.tensors().keys() == before.tensors().keys()
    assert all(same(after.tensors()[name], before.tensors()[name]) for name in after.tensors())


def test_a_trainer_takes_it_back(tmp_path):
    first = trainer_of(tmp_path, cloud(), network(), Masked(), ema=0.9, log_steps=4)
    first.fit()
    second = trainer_of(tmp_path, cloud(), network(seed=1), Masked(), ema=0.9, run=first.run)
    second.load(read(first.run.checkpoints / "last-00000006"))
    second.logger, second.clock = first.logger, first.clock
    assert same(weights(second.model), weights(first.model)) and second.step == 6
    first_state, second_state = (t.state([t.rank_state()]) for t in (first, second))
    assert {n for n in first_state.ranks if "window" in n} == {"0.window.loss", "0.window.count"}
    assert all(
        same(first_state.tensors()[name], second_state.tensors()[name])
        for name in first_state.tensors()
    )
    assert {k: v for k, v in first_state.values().items() if k != "seconds"} == {
        k: v for k, v in second_state.values().items() if k != "seconds"
    }


def test_ranks_have_their_own():
    assert same(state().of_rank(1, "rng"), {"torch": torch.ones(1)})
    assert state().of_rank(2, "rng") == {}  # resumed on more ranks
    assert state().of_rank(0, "window") == {}


def test_what_may_change_the_end_is_said():
    assert list(state().differences("a" * 64, PLACE)) == []
    data, threads = state().differences("b" * 64, PLACE | {"threads": 4})
    assert "the data changed" in data and "aaaaaaaaaaaa, now bbbbbbbbbbbb" in data
    assert "threads was 2, is 4" in threads and "last bits" in threads
    (new,) = state(environment={k: v for k, v in PLACE.items() if k != "processor"}).differences(
        "a" * 64, PLACE
    )
    assert "processor was None" in new  # written before it was noted
    old = state(environment={k: v for k, v in PLACE.items() if k != "kernels"})
    assert list(old.differences("a" * 64, PLACE)) == []  # it had no choice


def test_an_adapter_of_other_weights_is_refused(tmp_path):
    saved = Checkpoint(tmp_path, 8, {}, state(base="c" * 64).values())
    check_base("c" * 64, saved)
    with pytest.raises(UserError, match="adapter of other weights .*cccccccccccc.*None"):
        check_base(None, saved)
