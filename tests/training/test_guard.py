"""A number that is not finite stops the run within a step, and leaves something to look at."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file
from toys import Masked, cloud, network, trainer_of

from zoo.errors import TrainingFailed
from zoo.training.checkpoint import Checkpointer

AT = 5  # the step in which it happens, counted from 1
NAN, INF = float("nan"), float("inf")


class Poisoned(Masked):
    """Multiplies the loss by `bad` in step AT."""

    def __init__(self, bad):
        super().__init__()
        self.bad, self.steps = bad, 0

    def step(self, model, batch):
        output = super().step(model, batch)
        self.steps += model.training
        if model.training and self.steps == AT:
            return output._replace(loss_sum=output.loss_sum * self.bad)
        return output


def poison_input(trainer, bad):
    index, _ = trainer.loader.sampler.samples((AT - 1) * 8, AT * 8)
    trainer.loader.splits["train"].columns["input"][index[3], 1] = bad


def poison_loss(trainer, bad):
    trainer.task = Poisoned(bad)


def poison_gradient(trainer, bad):
    def hook(gradient):
        return gradient * bad if trainer.step + 1 == AT else gradient

    trainer.parameters[0].register_hook(hook)


def poison_weight(trainer, bad):
    set_rate = trainer.rate.set

    def poisoned(progress):
        if trainer.step + 1 == AT:
            with torch.no_grad():
                trainer.parameters[0][0, 0] = bad
        set_rate(progress)

    trainer.rate.set = poisoned


PLACES = {
    "input": poison_input,
    "loss": poison_loss,
    "gradient": poison_gradient,
    "weight": poison_weight,
}


@pytest.mark.parametrize("bad", [NAN, INF])
@pytest.mark.parametrize("ema", [None, 0.5])
@pytest.mark.parametrize("save_steps", [1, 2, None])
@pytest.mark.parametrize("place", PLACES)
def test_it_stops_within_one_step(tmp_path, place, save_steps, ema, bad):
    trainer = trainer_of(
        tmp_path, cloud(), network(), Masked(), max_steps=20, save_steps=save_steps, ema=ema,
        eval_steps=2,
    )  # fmt: skip
    PLACES[place](trainer, bad)
    with pytest.raises(TrainingFailed, match="finite|is nan|is inf|is -inf"):
        trainer.fit()
    assert AT - 1 <= trainer.step <= AT + 1
    keeper = Checkpointer(trainer.run.checkpoints)
    last, best = keeper.load("last", print), keeper.load("best", print)
    assert best is not None and best.step < AT
    for checkpoint in filter(None, (last, best)):
        assert all(bool(torch.isfinite(t).all()) for t in checkpoint.tensors["model"].values())
    assert last is None if save_steps is None else AT - 2 <= last.step < AT
    for row in trainer.run.metrics():
        assert math.isfinite(row["loss"]) or row["step"] >= AT


def test_the_failed_batch_is_kept_for_a_replay(tmp_path):
    trainer = trainer_of(tmp_path, cloud(), network(), Masked(), max_steps=20, accumulate=2)
    poison_input(trainer, NAN)
    with pytest.raises(TrainingFailed) as caught:
        trainer.fit()
    assert f"the loss of step {AT} is nan" in str(caught.value)
    file = trainer.run.path / "failed_batch_rank0.safetensors"
    assert str(file) in str(caught.value)
    kept = load_file(file)
    expected = list(trainer.loader.training(AT - 1, AT))[0]
    assert set(kept) == {f"{k}.{name}" for k in (0, 1) for name in expected[0]}
    for k, part in enumerate(expected):
        for name, column in part.items():
            assert torch.equal(kept[f"{k}.{name}"].nan_to_num(7), column.nan_to_num(7))
    assert sum(int(kept[f"{k}.input"].isnan().sum()) for k in (0, 1)) == 1


def test_the_command_line_says_so(train):
    done = train(
        "model=mlp", "data=rain", "optim=sgd", "optim.lr=1e30", "trainer.max_steps=30",
        "trainer.save_steps=1", "trainer.eval_steps=1",
    )  # fmt: skip
    assert done.code == 1 and done.err.startswith("failed: ") and done.err.count("\n") == 1
    assert "optim.lr" in done.err or "not finite" in done.err
    result = json.loads((done.path / "result.json").read_text())
    assert result["status"] == "failed" and "TrainingFailed" in result["reason"]
    kept = Checkpointer(done.path / "checkpoints").load("last", print)
    if kept is not None:
        assert all(bool(torch.isfinite(t).all()) for t in kept.tensors["model"].values())


def test_the_log_stays_json(train):
    """NaN is no JSON; other tools read these files."""
    done = train(
        "model=mlp", "data=rain", "optim=sgd", "optim.lr=1e30", "trainer.max_steps=30",
        "trainer.log_steps=1",
    )  # fmt: skip

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    for line in (done.path / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=refuse)
    json.loads((done.path / "result.json").read_text(), parse_constant=refuse)
