"""Reading runs: the finished ones, and why the others are not ranked."""

import json
import math

import pytest
from support import write_run

from zoo.errors import UserError
from zoo.runs.records import Record, read_runs
from zoo.runs.settings import read_config


def test_every_run_is_read_once(tmp_path):
    for name in ("a/1", "a/2", "b/c/3"):
        write_run(tmp_path / name, 0.5, typed=["model.width=8", "+x=1"])
    done, unranked = read_runs([tmp_path, tmp_path / "a", tmp_path / "a" / "1"])
    assert [run.path.name for run in done] == ["1", "2", "3"] and not unranked
    assert done[0].typed == {"model.width", "x"}


def test_a_config_is_read_as_yaml_reads_it(tmp_path):
    path = write_run(tmp_path / "a", data__note="two\nlines: # no comment\n\nx", plugins=[])
    import yaml

    config, settings = read_config(path / "config.yaml")
    assert config == yaml.safe_load((path / "config.yaml").read_text())
    assert settings["data.note"] == "two\nlines: # no comment\n\nx"


def test_pruned_trials_are_one_entry(tmp_path):
    for k in range(3):
        write_run(tmp_path / "search" / str(k), status="pruned", result={"reason": "behind"})
    write_run(tmp_path / "search" / "3", 0.5)
    done, (pruned,) = read_runs([tmp_path])
    assert len(done) == 1 and pruned.state == "pruned" and not pruned.command
    assert pruned.path == tmp_path / "search" and pruned.reason.startswith("3 that")


def test_unfinished_runs_are_listed_with_reason_and_command(tmp_path):
    write_run(tmp_path / "good", 0.5)
    signal = {"reason": "signal 2"}
    write_run(tmp_path / "stopped", status="interrupted", result=signal)
    (tmp_path / "stopped" / "checkpoints" / "last-00000010").mkdir()
    nan = {"reason": "the loss is nan"}
    write_run(tmp_path / "nan", status="failed", result=nan, typed=["optim.lr=9"])
    (tmp_path / "nan" / "checkpoints" / "last-00000010").mkdir()
    write_run(tmp_path / "running", status=None, losses=[1.0, 0.5])
    done, listed = read_runs([tmp_path])
    unranked = {run.path.name: run for run in listed}
    assert [run.path.name for run in done] == ["good"]
    assert unranked["stopped"].command[-1] == f"resume={tmp_path / 'stopped'}"
    assert unranked["nan"].state == "failed" and unranked["nan"].reason == "the loss is nan"
    assert unranked["nan"].command == ("python", "train.py", "optim.lr=9"), "it would diverge again"
    assert unranked["running"].state == "unfinished"
    assert "step 20, last written 0 min ago" in unranked["running"].reason


def test_trials_of_a_sweep_without_a_folder_are_listed(tmp_path):
    names = ["lr=1", "lr=2", "lr=3", "lr=4", "lr=5"]
    sweep = {"version": 1, "members": [{"name": n, "overrides": []} for n in names]}
    (tmp_path / "sweep.json").write_text(json.dumps(sweep))
    attempts = [{"member": "lr=2", "ended": 2, "reason": "out of memory"}]
    attempts.append({"member": "lr=3", "ended": 139, "reason": "ended by SIGSEGV"})
    (tmp_path / "attempts.jsonl").write_text("".join(json.dumps(a) + "\n" for a in attempts) + "{")
    write_run(tmp_path / "lr=1", 0.5)
    write_run(tmp_path / "lr=3", status=None)
    _, unranked = read_runs([tmp_path])
    assert {(run.state, run.reason) for run in unranked} == {
        ("failed", "out of memory"), ("unfinished", "ended by SIGSEGV"),
        ("not begun", "2 of 5 trials"),
    }  # fmt: skip
    assert {run.command[-1] for run in unranked} == {f"sweep.resume={tmp_path}"}


@pytest.mark.parametrize(
    ("file", "content"),
    [("result.json", '{"status": '), ("result.json", "[1]"), ("config.yaml", "a: [1"),
     ("config.yaml", "just words"), ("config.yaml", ""), ("config.yaml", "seed: 1")],
)  # fmt: skip
def test_broken_files_are_named_and_the_other_runs_are_read(tmp_path, file, content):
    write_run(tmp_path / "good", 0.5)
    (write_run(tmp_path / "bad", 0.9) / file).write_text(content)
    done, (bad,) = read_runs([tmp_path])
    assert [run.path.name for run in done] == ["good"]
    assert bad.state == "broken" and str(tmp_path / "bad" / file) in bad.reason


def test_a_run_on_one_batch_is_not_ranked(tmp_path):
    write_run(tmp_path / "good", 0.5)
    write_run(tmp_path / "overfit", 1.0, trainer__overfit=True)
    done, (overfit,) = read_runs([tmp_path])
    assert [run.path.name for run in done] == ["good"] and overfit.state == "overfit"


def test_folders_without_runs(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: there are no runs at or below it"):
        read_runs([tmp_path / "empty"])
    with pytest.raises(UserError, match="emtpy: there is no such folder"):
        read_runs([tmp_path / "emtpy"])


def test_a_metric_that_was_not_finite_is_nan(tmp_path):
    """Strict JSON has null for it; older runs have NaN."""
    new = write_run(tmp_path / "new", {"accuracy": 0.5, "r2": None}, {"accuracy": None})
    old = write_run(tmp_path / "old", {"accuracy": 0.5, "r2": math.nan}, {"accuracy": math.inf})
    for path in (new, old):
        metrics = Record.read(path).metrics
        assert metrics["val/accuracy"] == 0.5 and math.isnan(metrics["val/r2"])
        assert not math.isfinite(metrics["test/accuracy"])
