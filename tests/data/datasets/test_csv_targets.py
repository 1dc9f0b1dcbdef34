"""Runs with several targets, from the command line to a graph for other programs."""

import json

import pytest
import torch

from zoo.commands.evaluate import main as evaluate
from zoo.commands.export import main as export
from zoo.commands.predict import main as predict


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """Price and rent are linear in the area: a linear model learns both."""
    path = tmp_path_factory.mktemp("houses") / "houses.csv"
    rows = [f"{20 + 7 * k % 83},{3 * (20 + 7 * k % 83)}.5,{100 - (20 + 7 * k % 83)}.5"
            for k in range(90)]  # fmt: skip
    path.write_text("\n".join(["area,price,rent", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def run(trained, houses):
    settings = ("model.depth=0", "optim.lr=0.1", "trainer.max_steps=150")
    return trained("houses", "model=mlp", "data=csv", f"data.path={houses}",
                   "data.target=price,rent", *settings, previews=True)  # fmt: skip


def test_the_task_follows_and_each_target_has_its_figures(run):
    result = json.loads((run / "result.json").read_text())
    assert result["test"]["r2"] > 0.99 and result["test"]["rmse/price"] < 5
    assert set(result["test"]) >= {"r2/price", "r2/rent", "mae/rent"}
    details = json.loads((run / "test_details.json").read_text())["targets"]
    assert details["rent"]["rmse"] == result["test"]["rmse/rent"]
    previews = {path.name.rpartition("-")[0] for path in (run / "previews").glob("*.png")}
    assert previews >= {"predicted_vs_true_price", "predicted_vs_true_rent"}
    assert "rmse/price" not in (run / "train.log").read_text().split("trained ")[0]


def test_predictions_and_evaluation_name_the_targets(run, command, tmp_path):
    asked = command(predict, f"run={run}", "input=area=50", "json=true")
    values = json.loads(asked.out)["values"]
    assert values["price"] == pytest.approx(150, abs=5) and values["rent"] == pytest.approx(
        50, abs=5
    )
    heading, row = command(predict, f"run={run}", "input=area=50").out.splitlines()[-2:]
    assert heading.split() == ["input", "price", "rent"] and row.startswith("area=50")
    new = tmp_path / "new.csv"
    new.write_text("rent,area,price\n50.5,50,150.5\n20.5,80,240.5\n")
    out = command(evaluate, f"run={run}", f"data.path={new}").out
    lines = [line.split() for line in out.splitlines()]
    assert ["target", "rmse", "mae", "r2"] in lines
    assert [line[0] for line in lines[-2:]] == ["price", "rent"]


def test_a_run_of_several_targets_is_resumed(run, copied, train):
    again = train(f"resume={copied(run)}", "trainer.max_steps=160")
    assert again.code == 0 and "rmse/rent" in again.out


def test_the_exported_graph_answers_in_the_targets_units(run, command, tmp_path):
    done = command(export, f"run={run}", "format=torch_export", f"out={tmp_path / 'out'}")
    assert done.code == 0, done.err
    about = json.loads((tmp_path / "out" / "preprocessing.json").read_text())
    assert about["target"] == ["price", "rent"]
    graph = torch.export.load(tmp_path / "out" / "model.pt2").module()
    answer = graph(torch.tensor([[50.0]], dtype=torch.float64))[0].tolist()
    asked = json.loads(command(predict, f"run={run}", "input=area=50", "json=true").out)
    assert answer == pytest.approx(list(asked["values"].values()), rel=1e-4)
    assert 'dict(zip(about["target"], answer.tolist()))' in (tmp_path / "out/README.md").read_text()


@pytest.fixture(scope="module")
def films(trained, tmp_path_factory):
    """Long films are action, late ones comedy; some are both, some neither."""
    path = tmp_path_factory.mktemp("films") / "films.csv"
    rows = []
    for i in range(120):
        length, year = i * 37 % 100, i * 53 % 100
        names = ["action"] * (length > 50) + ["comedy"] * (year > 60)
        rows.append(f"{length}.5,{year}.5,{';'.join(names)}")
    path.write_text("\n".join(["length,year,tags", *rows]) + "\n")
    settings = ("task=multi_label", "model.depth=0", "optim.lr=0.1", "trainer.max_steps=100")
    return trained("films", "model=mlp", "data=csv", f"data.path={path}", "data.target=tags",
                   *settings, previews=True)  # fmt: skip


def test_labels_are_learnt_and_reported(films, command, tmp_path):
    result = json.loads((films / "result.json").read_text())
    assert result["monitor"] == "average_precision" and result["test"]["macro_f1"] > 0.9
    rows = json.loads((films / "test_details.json").read_text())["labels"]
    assert set(rows) == {"action", "comedy"} and rows["comedy"]["f1"] > 0.9
    assert list((films / "previews").glob("labels-*.png"))
    new = tmp_path / "new.csv"
    new.write_text("length,year,tags\n99,99,comedy;action\n1,1,\n1,99,comedy\n")
    out = command(evaluate, f"run={films}", f"data.path={new}").out
    assert ["subset_accuracy", "1.0000"] in [line.split()[:2] for line in out.splitlines()]
    line = next(line.split() for line in out.splitlines() if line.startswith("comedy "))
    assert line == ["comedy", "1.0000", "1.0000", "1.0000", "1.0000", "0.6667", "2"]
    new.write_text("length,year,tags\n99,99,comdy\n")
    assert "did you mean 'comedy'?" in command(evaluate, f"run={films}", f"data.path={new}").err


def test_labels_are_predicted(films, command):
    row = json.loads(command(predict, f"run={films}", "input=length=99,year=1", "json=true").out)
    assert row["labels"] == ["action"] and row["probabilities"]["comedy"] < 0.5
    heading, shown = command(predict, f"run={films}", "input=length=1,year=1").out.splitlines()
    assert heading.split() == ["input", "labels", "others"] and " none " in shown


def test_a_graph_gives_the_logits_of_labels(films, command, tmp_path):
    done = command(export, f"run={films}", "format=torch_export", f"out={tmp_path / 'out'}")
    assert done.code == 0, done.err
    about = json.loads((tmp_path / "out" / "preprocessing.json").read_text())
    assert about["label_names"] == ["action", "comedy"] and about["task"] == "multi_label"
    graph = torch.export.load(tmp_path / "out" / "model.pt2").module()
    odds = graph(torch.tensor([[99.0, 1.0]], dtype=torch.float64))[0].sigmoid().tolist()
    row = json.loads(command(predict, f"run={films}", "input=length=99,year=1", "json=true").out)
    assert odds == pytest.approx(list(row["probabilities"].values()), rel=1e-4)
    assert 'zip(about["label_names"]' in (tmp_path / "out" / "README.md").read_text()
