"""What a run gives TensorBoard: one run, settings, how it ended, charts, pictures."""

import json
import shutil

import pytest
from board import Board

from zoo.commands import train as cli
from zoo.runs import hparams


@pytest.fixture(scope="module")
def board(rain_run):
    return board_of(rain_run)


def board_of(run):
    """Of the folder above: in a log folder that is the run itself, its row would lack metrics."""
    return Board(run.parent)


def test_it_is_one_run(board, rain_run):
    assert board.runs == [rain_run.name]
    assert {file.parent for file in rain_run.rglob("*tfevents*")} == {rain_run}


def test_its_row_has_the_settings_and_succeeded(board):
    (row,) = board.sessions().values()
    assert row.status == "SUCCESS"
    assert row.settings["model.width"] == 8 and row.settings["optim.name"] == "adamw"
    assert row.settings["trainer.compile"] == "False" and row.settings["trainer.clip"] == "None"
    assert not {"name", "output_dir", "expect"} & {key.split(".")[0] for key in row.settings}


def test_a_split_that_follows_the_seed_has_no_column():
    settings = {"seed": 3, "data": {"split_seed": 3, "name": "iris"}}
    assert hparams.tuned(settings) == {"seed": 3, "data.name": "iris"}
    settings["data"]["split_seed"] = 0
    assert hparams.tuned(settings)["data.split_seed"] == 0


def test_what_the_run_is_judged_by_comes_first(board, rain_run):
    """The table shows five metrics unless asked for more."""
    result = json.loads((rain_run / "result.json").read_text())
    expected = {f"best/val_{name}": value for name, value in result["val"].items()}
    expected |= {f"test/{name}": value for name, value in result["test"].items()}
    (row,) = board.sessions().values()
    assert expected.keys() <= row.metrics.keys()
    for tag, value in expected.items():
        assert row.metrics[tag] == pytest.approx(value, rel=1e-6), tag
    metrics = board.columns()[2]
    assert set(metrics[: len(expected)]) == expected.keys()


def test_a_chart_shows_all_splits_of_a_metric(board):
    (charts,) = board.charts().values()
    splits = ("train", "val", "test")
    for name in ("loss", "accuracy"):
        assert charts[name][board.runs[0]] == {f"{split}/{name}" for split in splits}
    assert all(runs[board.runs[0]] for runs in charts.values()), "a chart without data"


def test_pictures_are_in_tensorboard_and_in_the_previews(board, rain_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(rain_run))
    events.Reload()
    for tag in ("confusion", "decision_surface"):
        assert events.Images(tag)[-1].encoded_image_string[:4] == b"\x89PNG"
        assert (rain_run / "previews" / f"{tag}-000120.png").read_bytes()[:4] == b"\x89PNG"


def test_a_run_that_goes_on_has_one_row_with_its_new_settings(rain_run, tmp_path, capsys):
    run = shutil.copytree(rain_run, tmp_path / "runs" / "one")
    assert cli.main([f"resume={run}", "trainer.max_steps=150"]) == 0
    (row,) = board_of(run).sessions().values()
    assert row.status == "SUCCESS" and row.settings["trainer.max_steps"] == 150
    result = json.loads((run / "result.json").read_text())
    for name, value in result["val"].items():
        assert row.metrics[f"best/val_{name}"] == pytest.approx(value, rel=1e-6)


def test_a_failure_may_be_mended(rain_run, tmp_path):
    """Told from outside, of a run that was killed; then it goes on."""
    run = shutil.copytree(rain_run, tmp_path / "runs" / "one")
    hparams.failed(run, {"seed": 1})
    (row,) = board_of(run).sessions().values()
    assert row.status == "FAILURE" and row.settings["model.width"] == 8
    hparams.begin(run, {"seed": 1})
    (row,) = board_of(run).sessions().values()
    assert row.status == "UNKNOWN" and row.settings == {"seed": 1}
