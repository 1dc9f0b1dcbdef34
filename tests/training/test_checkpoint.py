"""Checkpoints under damage: every flaw is found, the one before is taken."""

import random
import shutil
from pathlib import Path

import pytest
import torch
from sample_checkpoints import is_step, load, tensors
from torch import nn
from toys import Masked, Tied, cloud, same, trainer_of, weights

from zoo.errors import TrainingFailed, UserError
from zoo.training.checkpoint import (
    Checkpointer,
    Damaged,
    load_model,
    model_tensors,
    read,
)


def test_the_newest_is_read(checkpoints):
    checkpoint, messages = load(checkpoints)
    assert is_step(checkpoint, 20) and messages == []
    assert load(checkpoints, "best") == (None, [])
    assert load(Checkpointer(checkpoints.folder / "nowhere")) == (None, [])


def test_two_of_each_kind_are_kept(checkpoints):
    for step in (30, 40):
        checkpoints.save("last", step, tensors(step), {"step": step})
        checkpoints.save("best", step - 5, tensors(step), {})
    names = sorted(path.name for path in checkpoints.folder.iterdir())
    assert names == ["best-00000025", "best-00000035", "last-00000030", "last-00000040"]


def test_a_state_of_the_same_step_is_replaced(checkpoints):
    checkpoints.save("last", 20, tensors(20), {"step": 20, "evaluated": 20})
    assert load(checkpoints)[0].state["evaluated"] == 20


def test_the_only_checkpoint_is_never_put_at_risk(tmp_path):
    keeper = Checkpointer(tmp_path)
    keeper.save("last", 10, tensors(10), {"step": 10})
    before = (tmp_path / "last-00000010" / "manifest.json").stat().st_ino
    keeper.save("last", 10, tensors(10), {"step": 10, "evaluated": 10})
    assert (tmp_path / "last-00000010" / "manifest.json").stat().st_ino == before


def test_what_is_void_after_a_fallback_is_removed(checkpoints):
    checkpoints.save("best", 15, tensors(15), {})
    checkpoints.save("best", 5, tensors(5), {})
    checkpoints.discard_after(10)
    assert sorted(p.name for p in checkpoints.folder.iterdir()) == [
        "best-00000005",
        "last-00000010",
    ]


def test_a_fallback_removes_what_it_made_void(tmp_path):
    trainer = trainer_of(tmp_path, cloud(), nn.Linear(4, 1), Masked(), eval_steps=2, save_steps=2)
    trainer.fit()
    (trainer.run.checkpoints / "last-00000006" / "state.json").unlink()
    again = trainer_of(tmp_path, cloud(), nn.Linear(4, 1), Masked(), run=trainer.run)
    again.restore()
    left = sorted(p.name for p in trainer.run.checkpoints.iterdir())
    assert again.step == 4 and all(int(name.split("-")[1]) <= 4 for name in left)


# --------------------------------------------------------------------------------- damage


def rewrite(path, change):
    content = bytearray(path.read_bytes())
    path.write_bytes(bytes(change(content)))


def flip(content, bit):
    content[bit // 8] ^= 1 << bit % 8
    return content


FILES = ("model.safetensors", "optimizer.safetensors", "state.json", "manifest.json")


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_bit_is_found(checkpoints, name):
    newest = checkpoints.folder / "last-00000020"
    content = (newest / name).read_bytes()
    rng, bits = random.Random(name), 8 * len(content)
    for bit in {0, bits - 1, *(rng.randrange(bits) for _ in range(60))}:
        (newest / name).write_bytes(content)
        rewrite(newest / name, lambda c, bit=bit: flip(c, bit))
        checkpoint, messages = load(checkpoints)
        assert is_step(checkpoint, 10), (name, bit)
        assert len(messages) == 1 and "last-00000020 is damaged" in messages[0], (name, bit)


def swap_with_older(newest, name):
    shutil.copy(newest.parent / "last-00000010" / name, newest / name)


DAMAGE = {
    "cut short": lambda d, n: rewrite(d / n, lambda c: c[: len(c) // 2]),
    "cut by one": lambda d, n: rewrite(d / n, lambda c: c[:-1]),
    "one too many": lambda d, n: rewrite(d / n, lambda c: c + b"\0"),
    "emptied": lambda d, n: rewrite(d / n, lambda c: b""),
    "zeroed": lambda d, n: rewrite(d / n, lambda c: bytes(len(c))),
    "a zeroed page": lambda d, n: rewrite(d / n, lambda c: c[:40] + bytes(16) + c[56:]),
    "missing": lambda d, n: (d / n).unlink(),
    "swapped with the older": swap_with_older,
    "a folder": lambda d, n: ((d / n).unlink(), (d / n).mkdir()),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_the_one_before_is_taken(checkpoints, damage, name):
    DAMAGE[damage](checkpoints.folder / "last-00000020", name)
    checkpoint, messages = load(checkpoints)
    assert is_step(checkpoint, 10)
    assert len(messages) == 1 and "falling back to the one before" in messages[0]


def test_a_link_is_not_followed(checkpoints, tmp_path):
    target = checkpoints.folder / "last-00000020" / "model.safetensors"
    shutil.move(target, tmp_path / "elsewhere")
    target.symlink_to(tmp_path / "elsewhere")
    checkpoint, messages = load(checkpoints)
    assert is_step(checkpoint, 10) and "lies outside the checkpoint" in messages[0]


def test_a_renamed_checkpoint_is_not_taken_for_another(checkpoints):
    (checkpoints.folder / "last-00000010").rename(checkpoints.folder / "last-00000030")
    checkpoint, messages = load(checkpoints)
    assert is_step(checkpoint, 20) and "it is a copy of last-00000010" in messages[0]


def test_an_unfinished_write_is_not_seen(checkpoints):
    shutil.copytree(
        checkpoints.folder / "last-00000020", checkpoints.folder / ".writing-last-00000030-1"
    )
    (checkpoints.folder / "last-00000030.old").mkdir()
    (checkpoints.folder / "notes").write_text("")
    assert is_step(load(checkpoints)[0], 20)
    checkpoints.save("last", 40, tensors(40), {"step": 40})
    assert not list(checkpoints.folder.glob(".writing-*"))


def test_all_damaged_is_a_clear_stop(checkpoints):
    for name in ("last-00000010", "last-00000020"):
        (checkpoints.folder / name / "state.json").unlink()
    with pytest.raises(UserError) as caught:
        load(checkpoints)
    line = str(caught.value)
    assert "no checkpoint of kind 'last'" in line and "start the run again" in line
    assert "last-00000010: " in line and "last-00000020: " in line


def test_a_damaged_checkpoint_is_rewritten(checkpoints):
    rewrite(checkpoints.folder / "last-00000020" / "model.safetensors", lambda c: flip(c, 800))
    checkpoints.save("last", 20, tensors(20), {"step": 20})
    assert is_step(load(checkpoints)[0], 20)


# --------------------------------------------------------------------------- what is written


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_never_written(checkpoints, bad):
    broken = tensors(30)
    broken["model"]["a.weight"][2, 1] = bad
    with pytest.raises(TrainingFailed, match="a.weight are not finite after step 30"):
        checkpoints.save("last", 30, broken, {"step": 30})
    assert is_step(load(checkpoints)[0], 20)


def test_every_type_and_shape_comes_back(tmp_path):
    many = {
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "half": torch.randn(3).half(),
        "bfloat": torch.randn(3).bfloat16(),
        "int": torch.tensor([2**62]),
        "bool": torch.tensor([True, False]),
        "byte": torch.arange(256).byte(),
        "strided": torch.randn(4, 6)[:, ::2].contiguous(),
    }
    keeper = Checkpointer(tmp_path)
    keeper.save("best", 1, {"model": many}, {})
    assert same(load(keeper, "best")[0].tensors["model"], many)


def test_tied_weights_are_written_once_and_come_back_tied(tmp_path):
    model, other = Tied(), Tied()
    saved = model_tensors(model.state_dict())
    assert set(saved) == {"inner.weight", "head.weight", "head.bias"}
    load_model(other, saved, tmp_path)
    assert same(weights(model), weights(other)) and other.outer.weight is other.inner.weight


@pytest.mark.parametrize("ema", [None, 0.9])
def test_a_tied_model_trains_and_its_best_weights_are_evaluated(tmp_path, ema):
    from zoo.training import finish

    trainer = trainer_of(
        tmp_path, cloud(features=6), Tied(), Masked(), ema=ema, eval_steps=2, save_steps=2
    )
    trainer.fit()
    expected = weights(trainer.model) if ema is None else None
    figures, _ = finish.evaluate_best(trainer)
    assert figures["test"]["loss"] > 0
    again = trainer_of(
        tmp_path, cloud(features=6), Tied(), Masked(), ema=ema, run=trainer.run, eval_steps=2
    )
    again.restore()
    assert again.step == 6 and (expected is None or same(weights(again.model), expected))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("bias"), "bias is missing"),
        (lambda t: t.update(more=torch.ones(1)), "more is unexpected"),
        (
            lambda t: t.update(weight=torch.ones(2, 2)),
            r"weight is \(2, 2\), the model has \(3, 2\)",
        ),
    ],
)
def test_weights_of_another_model_are_refused(tmp_path, change, words):
    model = nn.Linear(2, 3)
    saved = model_tensors(model.state_dict())
    change(saved)
    with pytest.raises(UserError, match=words):
        load_model(model, saved, tmp_path)


def test_damage_is_described():
    with pytest.raises(Damaged, match="No such file"):
        read(Path("/nowhere/last-00000001"))
