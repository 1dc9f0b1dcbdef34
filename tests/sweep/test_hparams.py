"""The HParams tab of a sweep: one table of its members, done or not."""

import json

import forked
import pytest
from board import Board

from zoo.commands import train as cli

TINY = (
    "experiment=mlp_rain", "trainer.max_steps=4", "trainer.eval_steps=2", "trainer.device=cpu",
    "trainer.precision=fp32", "plugins=[misbehaves]",
)  # fmt: skip
# One that learns, one whose loss is not finite, one that raises before it has a folder; each with
# two optimizers, which have different settings.
SWEPT = ("model.name=mlp,bad", "model.width=11", "optim=sgd,muon", "optim.lr=0.01,1e30")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweep")
    arguments = ["-m", *TINY, *SWEPT, f"output_dir={path / 'outputs'}"]
    assert forked.call(path / "log", cli.main, arguments) == 1, (path / "log").read_text()
    (found,) = path.glob("outputs/*/*/sweep.json")
    return found.parent


@pytest.fixture(scope="module")
def rows(folder):
    return Board(folder).sessions()


def members(folder):
    return [member["name"] for member in json.loads((folder / "sweep.json").read_text())["members"]]


def test_every_member_is_a_row_and_nothing_else_is(folder, rows):
    assert sorted(rows) == sorted(members(folder)) and len(rows) == 8
    assert Board(folder).runs == sorted(rows), "no sub-runs, no run of the sweep itself"


def test_its_status_is_as_it_ended(folder, rows):
    for name, row in rows.items():
        file = folder / name / "result.json"
        done = file.exists() and json.loads(file.read_text())["status"] == "done"
        assert row.status == ("SUCCESS" if done else "FAILURE"), name
    assert {"SUCCESS", "FAILURE"} == {row.status for row in rows.values()}
    never_began = [name for name in rows if not (folder / name / "config.yaml").exists()]
    assert len(never_began) == 4 and all(
        rows[n].settings["model.name"] == "bad" for n in never_began
    )


def test_its_metrics_are_its_results(folder, rows):
    for name, row in rows.items():
        if row.status == "SUCCESS":
            result = json.loads((folder / name / "result.json").read_text())
            for metric, value in result["test"].items():
                assert row.metrics[f"test/{metric}"] == pytest.approx(value, rel=1e-6)
            for metric, value in result["val"].items():
                assert row.metrics[f"best/val_{metric}"] == pytest.approx(value, rel=1e-6)


def test_the_columns_are_all_members_settings_those_that_differ_first(folder):
    differ, same, metrics = Board(folder).columns()
    assert {"model.name", "optim.name", "optim.lr"} <= set(differ)
    assert "optim.nesterov" in differ + same and "optim.adam_lr" in differ + same
    assert "seed" in same and metrics[:2] == ["best/val_accuracy", "best/val_loss"]


def test_sweeps_and_runs_side_by_side_hide_no_columns(folder):
    """A summary of one sweep would be taken for that of everything in the folder above."""
    assert Board(folder.parent.parent).columns() == Board(folder).columns()
