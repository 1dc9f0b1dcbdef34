"""`task.monitor`, and figures that a table with few positive samples cannot spoil."""

import json

import pytest
import torch
from toys import Masked, cloud, network, trainer_of

from zoo.config import compose
from zoo.errors import UserError
from zoo.runs.directory import RunDirectory
from zoo.session import train
from zoo.sweep.prune import Curve
from zoo.training.monitor import set_monitor


@pytest.fixture(scope="module")
def churn(tmp_path_factory):
    """Customers, 5.5 % of whom leave; short tenure and many calls make it somewhat more likely."""
    draw = torch.Generator().manual_seed(0)
    n = 2000
    tenure = torch.randint(1, 72, (n,), generator=draw).float()
    charge = 20 + 90 * torch.rand(n, generator=draw)
    calls = torch.poisson(torch.full((n,), 1.5), generator=draw)
    contract = torch.randint(3, (n,), generator=draw)
    risk = 0.5 * calls - 0.02 * tenure + 1.5 * torch.randn(n, generator=draw)
    leaves = torch.zeros(n, dtype=torch.bool)
    leaves[risk.topk(round(0.055 * n)).indices] = True
    rows = ["tenure,monthly_charge,support_calls,contract,churn"]
    for k in range(n):
        kind = ("monthly", "yearly", "two_years")[contract[k]]
        answer = "yes" if leaves[k] else "no"
        rows.append(f"{int(tenure[k])},{charge[k]:.2f},{int(calls[k])},{kind},{answer}")
    path = tmp_path_factory.mktemp("churn") / "churn.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def run(churn, folder, *options):
    """The run of a small network on the table, and what it wrote."""
    config = compose.load(
        ["model=mlp", "model.width=16", "data=csv", f"data.path={churn}", "data.target=churn",
         "task=classification", "data.batch_size=256", "trainer.max_epochs=8", "trainer.device=cpu",
         "trainer.precision=fp32", "optim.lr=0.02", f"output_dir={folder}", *options]
    )  # fmt: skip
    ended = train(config, list(options))
    return ended.run, json.loads((ended.run.path / "result.json").read_text())


def rows(directory, split="val"):
    lines = map(json.loads, (directory.path / "metrics.jsonl").read_text().splitlines())
    return [row for row in lines if row["split"] == split]


def test_a_run_that_says_no_to_all_is_told_so(churn, tmp_path, capsys):
    _, result = run(churn, tmp_path)
    baseline = result["baseline"]
    assert baseline["name"] == "majority class" and baseline["beaten"] is False
    assert (
        0.93 < baseline["test"]["accuracy"] == pytest.approx(result["test"]["accuracy"], abs=0.01)
    )
    assert baseline["test"]["balanced_accuracy"] == baseline["test"]["auc"] == 0.5
    (line,) = [s for s in capsys.readouterr().out.splitlines() if "no better than" in s]
    assert "majority class" in line and "are no; set task.class_weights=balanced" in line


def test_balanced_weights_pick_the_best_balanced_accuracy(churn, tmp_path, capsys):
    directory, result = run(churn, tmp_path, "task.class_weights=balanced")
    assert result["monitor"] == "balanced_accuracy" and result["baseline"]["beaten"] is True
    validations = rows(directory)
    best = max(validations, key=lambda row: (row["balanced_accuracy"], -row["loss"]))
    assert result["best"]["step"] == best["step"]
    assert result["best"]["balanced_accuracy"] == best["balanced_accuracy"] > 0.55
    assert max(validations, key=lambda row: row["accuracy"])["step"] != best["step"]
    assert "no better than" not in capsys.readouterr().out


def test_the_chosen_metric_picks_the_best_weights(churn, tmp_path):
    directory, result = run(churn, tmp_path, "task.monitor=auc", "trainer.max_epochs=4")
    assert result["monitor"] == directory.monitor() == "auc"
    best = max(rows(directory), key=lambda row: (row["auc"], -row["loss"]))
    assert result["best"]["step"] == best["step"]
    saved = (directory.path / "config.yaml").read_text()
    assert "monitor: auc" in saved
    curve = Curve(directory.path)  # what a sweep prunes by
    assert curve.update() and curve.bests[-1] == best["auc"] and len(set(curve.bests)) > 1


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ("balanced_acuracy", "validation reports no balanced_acuracy; did you mean balanced_accur"),
        ("loss", "less of loss is better; set task.monitor=-loss"),
        ("-accuracy", "more of accuracy is better; set task.monitor=accuracy"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_is_written(churn, tmp_path, chosen, said):
    with pytest.raises(UserError, match=said):
        run(churn, tmp_path / "none", f"task.monitor={chosen}")
    assert not list((tmp_path / "none").rglob("config.yaml"))


def test_a_run_of_before_keeps_what_it_monitored(tmp_path):
    class Task:
        monitor = "balanced_accuracy"

    (tmp_path / "dataset.json").write_text('{"monitor": "accuracy"}')
    task = Task()
    assert not set_monitor(task, {"name": "classification"}, RunDirectory(tmp_path).monitor())
    assert task.monitor == "accuracy"
    assert RunDirectory(tmp_path / "none").monitor() is None
    assert set_monitor(task, {"monitor": "-loss"}, None) and task.monitor == "-loss"


@pytest.mark.parametrize(("chosen", "sign"), [("auc", 1), ("-error", -1)])
def test_patience_and_the_schedule_follow_the_chosen_metric(tmp_path, chosen, sign):
    """While the loss falls all the time, the metric that was chosen gets worse after the second."""
    task = Masked()
    set_monitor(task, {"monitor": chosen})
    schedule = {"name": "plateau", "cut": 0.5, "patience": 1}
    trainer = trainer_of(tmp_path, cloud(), network(), task, schedule=schedule, patience=3)
    name, factors = chosen.removeprefix("-"), []
    for step, value in enumerate((0.5, 0.9, 0.8, 0.7, 0.6), 1):
        trainer.step = step
        assert not trainer.ended
        trainer.update_best({"loss": 1 / step, name: sign * value})
        factors.append(trainer.schedule.factor(step / 6))
    assert trainer.best.step == 2 and trainer.ended
    assert factors == [1, 1, 1, 0.5, 0.5]
