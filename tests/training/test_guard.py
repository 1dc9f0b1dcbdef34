"""A number that is not finite stops the run within a step, and leaves something to look at."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file
from toys import Masked, cloud, network, same, trainer_of, weights

from zoo.errors import TrainingFailed
from zoo.training.checkpoint import Checkpointer
from zoo.training.finish import evaluate_best

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


# ---------------------------------------------------------------------------- evaluation


class Monitored(Masked):
    """Monitors a metric that takes the given values, one for each validation."""

    def __init__(self, values, monitor="score"):
        super().__init__(monitor)
        self.values = list(values)

    def summarize(self, means):
        metrics = {"loss": float(means["loss"])}
        return metrics if "evaluated" not in means else metrics | {"score": self.values.pop(0)}

    def step(self, model, batch):
        output = super().step(model, batch)
        return output if model.training else output._replace(sums={"evaluated": torch.tensor(1.0)})


@pytest.mark.parametrize("bad", [NAN, INF])
def test_a_validation_that_is_not_finite_stops_the_run(tmp_path, bad):
    trainer = trainer_of(tmp_path, cloud(val=80), network(), Masked(), max_steps=20, eval_steps=4)
    validation, after = trainer.loader.splits["val"].columns["input"], trainer.update_best

    def poison(metrics):
        validation[70, 1] = bad
        after(metrics)

    trainer.update_best = poison
    with pytest.raises(TrainingFailed, match="validation loss of step 8 is .*samples 65 to 80 of"):
        trainer.fit()
    assert trainer.step == 8 and trainer.best.step == 4
    best = Checkpointer(trainer.run.checkpoints).load("best", print)
    assert best is not None and best.step == 4
    assert [row["step"] for row in trainer.run.metrics("val")] == [4]


@pytest.mark.parametrize("monitor", ["score", "-score"])
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_metric_that_is_not_finite_is_never_the_best(tmp_path, bad, monitor):
    values = [bad, 0.5, bad, bad, bad]
    trainer = trainer_of(
        tmp_path, cloud(), network(), Monitored(values, monitor), max_steps=20, eval_steps=2,
        patience=3, schedule={"name": "plateau", "patience": 1},
    )  # fmt: skip
    said = []
    trainer.console.warn = trainer.guard.warn = said.append
    trainer.fit()
    assert trainer.best.step == 4 and trainer.best.metrics["score"] == 0.5
    assert trainer.step == 10 and trainer.ended == "no better validation in 3 evaluations"
    assert trainer.schedule.level < 1, "the plateau is one of what is not finite, too"
    assert len(said) == 1 and "val/score of step 2 is" in said[0] and "never the best" in said[0]
    scores = [row["score"] for row in trainer.run.metrics("val")]
    assert [math.isfinite(score) for score in scores] == [False, True, False, False, False]
    assert "NaN" not in trainer.run.metrics_file.read_text()


def test_where_no_validation_was_finite_the_last_weights_are_evaluated(tmp_path):
    task = Monitored([NAN] * 4)
    trainer = trainer_of(tmp_path, cloud(), network(), task, max_steps=4, eval_steps=2)
    trainer.fit()
    said, before = [], weights(trainer.model)
    trainer.console.warn = said.append
    metrics, _ = evaluate_best(trainer)
    assert same(before, weights(trainer.model)) and math.isfinite(metrics["val"]["loss"])
    assert "checkpoint=last" in said[0] and trainer.best.step == 0


def test_a_test_split_that_is_not_finite_is_a_warning(tmp_path):
    """The weights were chosen by a validation that was right."""
    trainer = trainer_of(tmp_path, cloud(test=80), network(), Masked(), max_steps=4, eval_steps=2)
    trainer.loader.splits["test"].columns["input"][70, 1] = INF
    said = []
    trainer.console.warn = trainer.guard.warn = said.append
    trainer.fit()
    metrics, _ = evaluate_best(trainer)
    assert math.isfinite(metrics["val"]["loss"]) and not math.isfinite(metrics["test"]["loss"])
    assert len(said) == 1 and "test loss is nan, first in samples 65 to 80 of it" in said[0]
