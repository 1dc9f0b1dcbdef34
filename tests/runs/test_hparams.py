"""What runs and sweeps show in TensorBoard: settings, status, metrics, charts, plots."""

import json
import shutil

import forked
import pytest
from board import Board

from zoo.commands import train as cli
from zoo.runs import hparams


@pytest.fixture(scope="module")
def board(rain_run):
    return board_of(rain_run)


def board_of(run):
    """Of the parent folder: in a log folder that is the run itself, its row would lack metrics."""
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


def test_the_best_and_the_test_metrics_come_first(board, rain_run):
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


def test_plots_are_in_tensorboard_and_in_the_previews(board, rain_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(rain_run))
    events.Reload()
    for tag in ("confusion", "decision_surface"):
        assert events.Images(tag)[-1].encoded_image_string[:4] == b"\x89PNG"
        assert (rain_run / "previews" / f"{tag}-000120.png").read_bytes()[:4] == b"\x89PNG"


def test_a_resumed_run_has_one_row_with_its_new_settings(rain_run, tmp_path, capsys):
    run = shutil.copytree(rain_run, tmp_path / "runs" / "copy")
    assert cli.main([f"resume={run}", "trainer.max_steps=150"]) == 0
    (row,) = board_of(run).sessions().values()
    assert row.status == "SUCCESS" and row.settings["trainer.max_steps"] == 150
    result = json.loads((run / "result.json").read_text())
    for name, value in result["val"].items():
        assert row.metrics[f"best/val_{name}"] == pytest.approx(value, rel=1e-6)


def test_a_failed_run_may_be_resumed(rain_run, tmp_path):
    """Another process reports the failure of a killed run; then it is resumed."""
    run = shutil.copytree(rain_run, tmp_path / "runs" / "copy")
    hparams.failed(run, {"seed": 1})
    (row,) = board_of(run).sessions().values()
    assert row.status == "FAILURE" and row.settings["model.width"] == 8
    hparams.begin(run, {"seed": 1})
    (row,) = board_of(run).sessions().values()
    assert row.status == "UNKNOWN" and row.settings == {"seed": 1}


TINY = (
    "experiment=mlp_rain", "trainer.max_steps=4", "trainer.eval_steps=2", "trainer.device=cpu",
    "trainer.precision=fp32", "plugins=[misbehaves]",
)  # fmt: skip
# A model that learns, one whose loss is not finite, one that raises before it has a folder; each
# with two optimizers, which have different settings.
SWEPT = ("model.name=mlp,bad", "model.width=11", "optim=sgd,muon", "optim.lr=0.01,1e30")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweep")
    arguments = ["-m", *TINY, *SWEPT, f"output_dir={path / 'outputs'}"]
    assert forked.call(path / "log", cli.main, arguments) == 1, (path / "log").read_text()
    (state,) = path.glob("outputs/*/*/sweep.json")
    return state.parent


@pytest.fixture(scope="module")
def rows(sweep):
    return Board(sweep).sessions()


def trials(folder):
    return [trial["name"] for trial in json.loads((folder / "sweep.json").read_text())["members"]]


def test_every_trial_of_a_sweep_is_a_row_and_nothing_else_is(sweep, rows):
    assert sorted(rows) == sorted(trials(sweep)) and len(rows) == 8
    assert Board(sweep).runs == sorted(rows), "no sub-runs, no run of the sweep itself"


def test_a_trials_status_is_as_it_ended(sweep, rows):
    for name, row in rows.items():
        file = sweep / name / "result.json"
        done = file.exists() and json.loads(file.read_text())["status"] == "done"
        assert row.status == ("SUCCESS" if done else "FAILURE"), name
    assert {"SUCCESS", "FAILURE"} == {row.status for row in rows.values()}
    never_started = [name for name in rows if not (sweep / name / "config.yaml").exists()]
    assert len(never_started) == 4 and all(
        rows[n].settings["model.name"] == "bad" for n in never_started
    )


def test_a_trials_metrics_are_its_results(sweep, rows):
    for name, row in rows.items():
        if row.status == "SUCCESS":
            result = json.loads((sweep / name / "result.json").read_text())
            for metric, value in result["test"].items():
                assert row.metrics[f"test/{metric}"] == pytest.approx(value, rel=1e-6)
            for metric, value in result["val"].items():
                assert row.metrics[f"best/val_{metric}"] == pytest.approx(value, rel=1e-6)


def test_the_columns_are_the_settings_of_all_trials_those_that_differ_first(sweep):
    """Model, optimizer and learning rate first, then all settings of what is swept; no others."""
    differ, same, metrics = Board(sweep).columns()
    assert differ[:3] == ["model.name", "optim.name", "optim.lr"] and same[0] == "model.width"
    assert "optim.nesterov" in differ + same and "optim.adam_lr" in differ + same
    rest = {name for name in differ[3:] + same[1:] if not name.startswith("optim.")}
    assert rest == set(), "the trials do not differ in these"
    assert metrics[0] == "best/val_accuracy" and "best/val_loss" in metrics


def sessions_of(folder, members, search=None):
    (folder / "sweep.json").write_text(json.dumps({"members": members, "search": search}))
    config = {"seed": 1, "optim": {"name": "sgd", "lr": 0.1, "momentum": 0.9}}
    config["model"] = {"name": "mlp", "width": 8, "depth": 2}
    hparams.begin(folder / "trial", config | {"trainer": {"clip": None}})
    (row,) = Board(folder).sessions().values()
    return list(row.settings)


HEADLINE = ["model.name", "optim.name", "optim.lr", "model.width"]


@pytest.mark.parametrize(
    ("lists", "shown"),
    [
        ([["seed=0", "model.depth=2"], ["seed=1", "model.depth=2"]], ["seed"]),
        ([["optim=sgd"], ["optim=adamw", "+trainer.clip=1"]], ["optim.momentum", "trainer.clip"]),
        ([["seed=0"]], ["model.depth", "optim.momentum", "seed", "trainer.clip"]),
    ],
)
def test_a_trial_shows_what_its_sweep_varies(tmp_path, lists, shown):
    (tmp_path / "trial").mkdir()
    members = [{"overrides": overrides} for overrides in lists]
    assert sorted(sessions_of(tmp_path, members)) == sorted(HEADLINE + shown)


def test_the_first_trial_of_a_search_shows_what_will_vary(tmp_path):
    (tmp_path / "trial").mkdir()
    members = [{"overrides": ["seed=1", "model.depth=2", "trainer.clip=1"]}]
    search = {"typed": ["trainer.clip=1", "model.depth=range(1,4)"], "space": {}}
    search["when"] = {"optim=sgd": {"optim.momentum": "interval(0, 0.9)"}}
    shown = sessions_of(tmp_path, members, search)
    assert sorted(shown) == sorted([*HEADLINE, "model.depth", "optim.momentum"])


@pytest.mark.parametrize("content", ["", "[1]", '{"members": 3}', "[" * 100_000])
def test_a_damaged_sweep_hides_nothing(tmp_path, content):
    (tmp_path / "sweep.json").write_text(content)
    assert hparams.swept(tmp_path) is None


def test_sweeps_and_runs_side_by_side_hide_no_columns(sweep):
    """A summary of one sweep would be taken for that of everything in the folder above."""
    assert Board(sweep.parent.parent).columns() == Board(sweep).columns()
