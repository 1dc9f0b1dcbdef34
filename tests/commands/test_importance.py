"""Permutation importance: against scikit-learn's on the same model, columns as groups."""

import json

import numpy as np
import pytest
import torch
from sklearn.inspection import permutation_importance

from zoo.commands.evaluate import main
from zoo.restore import restore


def asked(command, run, *arguments):
    done = command(main, f"run={run}", "json=true", *arguments)
    assert done.code == 0, done.err
    return json.loads(done.out)


class Wrapped:
    """A run's model as scikit-learn wants it."""

    def __init__(self, run):
        self.restored = restore(run, device="cpu")

    def fit(self, *_):
        return self

    def predict(self, rows):
        with torch.no_grad():
            return self.restored.model(torch.tensor(rows)).argmax(1).numpy()


def accuracy(wrapped, rows, target):
    return (wrapped.predict(rows) == target).mean()


def test_it_agrees_with_scikit_learn(rain_run, command):
    """Means of 40 shuffles each: within three standard errors."""
    from zoo.build import build_dataset

    found = asked(command, rain_run, "split=train", "importance=40")["importance"]
    wrapped = Wrapped(rain_run)
    data = build_dataset(wrapped.restored.config.data, wrapped.restored.encoding.to_json())
    columns = data.splits["train"].columns
    rows, target = columns["input"].numpy(), columns["target"].numpy()
    theirs = permutation_importance(
        wrapped, rows, target, scoring=accuracy, n_repeats=40, random_state=0
    )
    assert found["metric"] == "accuracy" and found["repeats"] == 40
    assert found["value"] == pytest.approx(accuracy(wrapped, rows, target))
    names = wrapped.restored.encoding.feature_names
    assert set(found["columns"]) == set(names) and max(theirs.importances_mean) > 0.1
    for k, name in enumerate(names):
        ours = found["columns"][name]
        error = np.hypot(ours["deviation"], theirs.importances_std[k]) / np.sqrt(40)
        assert ours["mean"] == pytest.approx(theirs.importances_mean[k], abs=3 * error + 1e-9)
        assert ours["deviation"] == pytest.approx(theirs.importances_std[k], rel=0.5)


def test_a_column_is_one_whatever_it_became_and_repeats_exactly(trained, command, tmp_path):
    path = tmp_path / "t.csv"
    lines = ["town,twin,day,x,y"]
    for i in range(120):
        town, day = "ABC"[i * 7 % 3], f"2024-{i % 12 + 1:02d}-{i % 28 + 1:02d}"
        noise = "" if i % 11 == 0 else i * 29 % 10
        lines.append(f"{town},{town},{day},{noise},{10 * 'ABC'.index(town) + 0.5}")
    path.write_text("\n".join(lines) + "\n")
    run = trained("importance", "model=mlp", "model.width=8", "data=csv", f"data.path={path}",
                  "data.target=y", "optim.lr=2e-2", "trainer.max_steps=100")  # fmt: skip
    first = asked(command, run, "importance=true")
    found = first["importance"]
    assert found["metric"] == "loss" and found["value"] == first["metrics"]["loss"]
    assert set(found["columns"]) == {"town", "twin", "day", "x"}
    means = {name: row["mean"] for name, row in found["columns"].items()}
    assert list(means.values()) == sorted(means.values(), reverse=True)
    assert min(means["town"], means["twin"]) > 10 * max(0.0, means["day"], means["x"])
    assert ["town", "twin"] in found["alike"]
    assert asked(command, run, "importance=true") == first
    assert "importance" not in asked(command, run)
    shown = command(main, f"run={run}", "importance=2").out.splitlines()
    heading = next(line for line in shown if line.startswith("column "))
    assert "rise of loss" in heading
    assert "####################" in shown[shown.index(heading) + 1]
    assert "(correlated columns share their importance, each has less than both: town and twin" in (
        "\n".join(shown)
    )


def test_what_has_no_columns_is_refused(digits_run, rain_run, refused):
    line = refused(main, f"run={digits_run}", "importance=true")
    assert line.startswith("importance=true is for tables; the run was trained on images")
    line = refused(main, f"run={rain_run}", "importance=maybe")
    assert line == "importance=maybe: expected true, false or a number from 1 to 1000"
