"""The loop: what it does when, and what ends it."""

import functools
import json

import pytest
import torch
from toys import Masked, cloud, linear, network, same, trainer_of, weights


def rows(trainer, split):
    return list(trainer.run.metrics(split))


class Scripted(Masked):
    """A task whose validation losses are given in advance, one for each evaluation."""

    def __init__(self, losses):
        super().__init__()
        self.losses = list(losses)

    def step(self, model, batch):
        output = super().step(model, batch)
        if model.training:
            return output
        value = torch.tensor(self.losses.pop(0) if self.losses else 9.0)
        return output._replace(loss_sum=value * output.count)


def scripted(tmp_path, losses, **options):
    """One batch a validation, so that each evaluation reads one number."""
    defaults = {"max_steps": 40, "eval_steps": 2, "save_steps": 1000}
    data = cloud(val=4, test=4)
    return trainer_of(tmp_path, data, linear(), Scripted(losses), **defaults | options)


def test_cadences_in_steps(tmp_path):
    trainer = trainer_of(
        tmp_path, cloud(), linear(), Masked(), max_steps=11, eval_steps=4, log_steps=3, save_steps=5
    )
    saved = []
    save = trainer.checkpoints.save
    trainer.checkpoints.save = lambda kind, step, *rest: (
        saved.append((kind, step)),
        save(kind, step, *rest),
    )
    trainer.fit()
    assert [r["step"] for r in rows(trainer, "train")] == [3, 6, 9]
    assert [r["step"] for r in rows(trainer, "val")] == [4, 8, 11]
    assert [s for kind, s in saved if kind == "last"] == [5, 10, 11]


def test_epochs_become_steps(tmp_path):
    trainer = trainer_of(
        tmp_path, cloud(train=20), linear(), Masked(), 8, max_steps=None, max_epochs=3,
        eval_steps=None, eval_epochs=1,
    )  # fmt: skip
    trainer.fit()
    assert trainer.step == 8  # 60 samples in batches of 8
    assert [r["step"] for r in rows(trainer, "val")] == [3, 6, 8]


def test_steps_win_over_epochs(tmp_path):
    options = {"max_steps": 5, "max_epochs": 100}
    assert trainer_of(tmp_path, cloud(), linear(), Masked(), **options).budget.max_steps == 5


def test_the_rate_is_the_schedules_in_the_middle_of_each_step(tmp_path):
    trainer = trainer_of(
        tmp_path, cloud(), linear(), Masked(), max_steps=10, schedule={"name": "linear"}
    )
    trainer.fit()
    expected = [0.05 * (1 - (k + 0.5) / 10) for k in range(10)]
    assert [r["lr"] for r in rows(trainer, "train")] == pytest.approx(expected)


def test_the_reported_loss_is_the_mean_since_the_last_report(tmp_path):
    each = trainer_of(tmp_path, cloud(), linear(), Masked(), max_steps=6, log_steps=1)
    each.fit()
    some = trainer_of(tmp_path, cloud(), linear(), Masked(), max_steps=6, log_steps=3)
    some.fit()
    counts = [float(b["weight"].sum()) for (b,) in each.loader.training(0, 6)]
    losses = [r["loss"] for r in rows(each, "train")]
    for k, row in enumerate(rows(some, "train")):
        window = slice(3 * k, 3 * k + 3)
        total = sum(loss * n for loss, n in zip(losses[window], counts[window]))
        assert row["loss"] == pytest.approx(total / sum(counts[window]), rel=1e-6)


def test_the_norm_reported_is_the_gradients_and_changes_nothing(tmp_path):
    ends = []
    for every in (1, 1000):
        trainer = trainer_of(tmp_path, cloud(), network(), Masked(), log_steps=every)
        trainer.fit()
        ends.append(weights(trainer.model))
    assert same(*ends)
    trainer = trainer_of(tmp_path, cloud(), network(), Masked(), max_steps=1)
    model, (batch,) = network(), next(trainer.loader.training(0, 1))
    output = Masked().step(model, batch)
    (output.loss_sum / output.count).backward()
    expected = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
    trainer.fit()
    assert rows(trainer, "train")[0]["grad_norm"] == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_clipping_bounds_the_step(tmp_path, accumulate):
    lr, clip = 0.5, 0.01
    trainer = trainer_of(
        tmp_path, cloud(), network(), Masked(), max_steps=1, clip=clip, accumulate=accumulate,
        optim={"name": "sgd", "lr": lr, "weight_decay": 0.0, "momentum": 0.0},
    )  # fmt: skip
    before = weights(trainer.model)
    trainer.fit()
    moved = torch.cat([(before[n] - t).flatten() for n, t in trainer.model.state_dict().items()])
    assert float(moved.norm()) == pytest.approx(lr * clip, rel=1e-3)
    assert rows(trainer, "train")[0]["grad_norm"] > clip  # as it was before clipping


# ---------------------------------------------------------------------------- what ends it


def test_patience(tmp_path):
    trainer = scripted(tmp_path, [5, 4, 4.5, 4.2, 4.1, 3], patience=3)
    trainer.fit()
    assert trainer.step == 10 and trainer.ended == "no better validation in 3 evaluations"
    assert trainer.best.step == 4 and trainer.best.metrics["loss"] == 4


def test_an_improvement_resets_patience(tmp_path):
    trainer = scripted(tmp_path, [5, 6, 4, 6, 3, 6, 6], patience=2, max_steps=30)
    trainer.fit()
    assert trainer.step == 14 and trainer.best.step == 10


def test_a_run_ended_by_patience_stays_ended(tmp_path):
    first = scripted(tmp_path, [5, 6, 6], patience=2, save_steps=1)
    first.fit()
    again = scripted(tmp_path, [1, 1, 1], patience=2, run=first.run)
    again.fit()
    assert again.step == first.step == 6 and "no better validation" in again.ended


def test_a_tie_is_decided_by_the_loss(tmp_path):
    trainer = scripted(tmp_path, [])
    trainer.task.monitor = "accuracy"
    trainer.restore()
    for step, (accuracy, loss) in enumerate([(0.5, 2.0), (0.6, 2.0), (0.6, 1.5), (0.6, 1.9)], 1):
        trainer.step = step
        trainer.update_best({"accuracy": accuracy, "loss": loss})
    assert trainer.best.step == 3 and trainer.best.waited == 1


class FakeClock:
    """Seconds that pass with the steps."""

    def __init__(self, trainer, per_step):
        self.trainer, self.per_step, self.before = trainer, per_step, 0.0

    @property
    def seconds(self):
        return self.before + self.trainer.step * self.per_step + 1e-9

    def restart(self, before):
        pass


def timed(trainer, per_step):
    trainer.clock = trainer.requests.clock = FakeClock(trainer, per_step)
    return trainer


@pytest.mark.parametrize("losses", [[5, 4, 3], [3, 4, 5]], ids=["improving", "not"])
def test_minutes_end_it_after_a_last_evaluation(tmp_path, losses):
    options = {"max_minutes": 0.5, "eval_steps": 3}
    trainer = timed(scripted(tmp_path, losses, **options), per_step=10)
    trainer.fit()
    assert trainer.ended == "trainer.max_minutes are over" and trainer.step == 4
    assert [r["step"] for r in rows(trainer, "val")] == [3, 4]
    assert trainer.checkpoints.load("last", print).step == 4


def test_the_schedule_follows_the_clock_where_minutes_rule(tmp_path):
    trainer = timed(
        scripted(tmp_path, [], max_minutes=1, schedule={"name": "linear"}, max_steps=10**6), 6
    )
    trainer.fit()
    rates = [r["lr"] for r in rows(trainer, "train")]
    assert rates == pytest.approx([0.05 * (1 - k / 10) for k in range(len(rates))], abs=1e-4)


def test_saving_by_the_clock(tmp_path):
    trainer = timed(
        scripted(tmp_path, [], save_minutes=1, save_steps=None, max_steps=12, eval_steps=12), 20
    )
    saved = []
    save = trainer.checkpoints.save
    trainer.checkpoints.save = lambda kind, step, *rest: (
        saved.append(step) if kind == "last" else None,
        save(kind, step, *rest),
    )
    trainer.fit()
    assert saved[-1] == 12 and len(saved) == 3  # every fourth step: after more than a minute


def test_a_budget_of_one_step(tmp_path):
    trainer = trainer_of(tmp_path, cloud(), linear(), Masked(), max_steps=1)
    trainer.fit()
    assert trainer.step == trainer.best.step == 1
    assert trainer.checkpoints.load("last", print).step == 1


def test_overfitting_one_batch(tmp_path):
    trainer = trainer_of(
        tmp_path, cloud(), network(), Masked(), overfit=True, max_steps=300, eval_steps=100,
        optim={"name": "adamw", "lr": 0.03},
    )  # fmt: skip
    trainer.fit()
    assert rows(trainer, "val")[-1]["loss"] < 0.02


def test_compiled_trains_the_same_and_saves_plain_names(tmp_path, monkeypatch):
    """With a backend that only traces: generating code takes a minute."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    ends = []
    for compiled in (False, True):
        options = {"compile": compiled, "max_steps": 3, "save_steps": 3}
        trainer = trainer_of(tmp_path, cloud(), linear(), Masked(), **options)
        trainer.fit()
        saved = trainer.checkpoints.load("last", print).tensors
        assert set(saved["model"]) == {"weight", "bias"}
        assert not any("_orig_mod" in n for part in saved.values() for n in part)
        ends.append(saved["model"])
    for name in ends[0]:
        assert torch.allclose(ends[0][name], ends[1][name], atol=1e-5)


def test_a_seed_decides_the_end(train):
    ends = []
    for seed in (1, 1, 2):
        done = train(
            "model=mlp", "model.width=8", "model.dropout=0.2", "data=rain", "data.samples=100",
            "trainer=debug", f"seed={seed}",
        )  # fmt: skip
        result = json.loads((done.path / "result.json").read_text())
        ends.append((result["test"], (done.path / "metrics.jsonl").read_text()))
    assert ends[0] == ends[1] != ends[2]


def test_deterministic_is_switched_off_again(train):
    small = ("model=mlp", "data=rain", "data.samples=100", "trainer=debug")
    assert train(*small, "trainer.deterministic=true").code == 0
    assert not torch.are_deterministic_algorithms_enabled()
