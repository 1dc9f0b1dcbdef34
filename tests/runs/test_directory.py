"""Run directories: created once each, opened and found; and errors for wrong paths."""

import json
import re
import shutil
import threading

import pytest

from zoo.errors import UserError
from zoo.runs.directory import RunDirectory, find_runs


def test_runs_that_start_together_get_a_folder_each(tmp_path):
    paths, barrier = [], threading.Barrier(16)

    def start():
        barrier.wait()
        paths.append(RunDirectory.create(tmp_path, "mlp").path)

    threads = [threading.Thread(target=start) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 16
    assert all(re.fullmatch(r"\d{6}_\d{4}(-\d+)?", p.name) for p in paths)
    assert all((p / "checkpoints").is_dir() for p in paths)


def test_a_full_disk_is_detected_before_anything_is_created(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"need about 5\.0 MB, 1\.0 MB are free"):
        RunDirectory.create(tmp_path / "outputs", "mlp", needed_bytes=5_000_000)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "outputs").write_text("")
    with pytest.raises(UserError, match="outputs.*output_dir="):
        RunDirectory.create(tmp_path / "outputs", "mlp")


def run(folder):
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text("seed: 0\n")
    return folder


def test_finds_runs_below_a_folder_and_nothing_else(tmp_path):
    runs = [run(tmp_path / "a" / "1"), run(tmp_path / "b" / "c" / "2")]
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "config.yaml").write_text("")  # no checkpoints next to it
    assert sorted(find_runs(tmp_path)) == sorted(runs)
    assert list(find_runs(tmp_path / "nowhere")) == []


def test_finds_runs_that_were_moved_and_linked(tmp_path):
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    run(here / "a" / "1")
    run(elsewhere / "a" / "2")
    run(tmp_path / "3")
    (here / "a" / "2").symlink_to(elsewhere / "a" / "2")
    (here / "b").symlink_to(elsewhere / "a")  # the same run once more
    (here / "0").symlink_to(here / "a" / "1")  # listed at its own place
    (here / "up").symlink_to(tmp_path)  # without end
    (here / "lost").symlink_to(tmp_path / "nowhere")
    assert list(find_runs(here)) == [here / "a" / "1", here / "a" / "2"]
    (tmp_path / "linked").symlink_to(here)
    assert len(list(find_runs(tmp_path / "linked"))) == 2


def test_a_wrong_path_is_answered_with_the_nearest_run(tmp_path):
    real = run(tmp_path / "mlp" / "2026-01-01_10-00-00")
    with pytest.raises(UserError, match=re.escape(str(real))):
        RunDirectory.open(tmp_path / "mlp" / "2026-01-01_10-00-01")
    with pytest.raises(UserError, match=re.escape(str(real))):
        RunDirectory.open(tmp_path / "mlp")
    assert RunDirectory.open(real).path == real


def test_json_that_is_missing_or_broken_is_one_clear_error(tmp_path):
    folder = RunDirectory(run(tmp_path / "r"))
    with pytest.raises(UserError, match="did not get that far"):
        folder.read_json("result.json")
    (folder.path / "result.json").write_text('{"status": ')
    with pytest.raises(UserError, match="cannot be read"):
        folder.read_json("result.json")


def test_metrics_are_read_by_split(tmp_path):
    folder = RunDirectory(run(tmp_path / "r"))
    rows = [{"step": k, "split": split} for k in (1, 2) for split in ("train", "val")]
    folder.metrics_file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert list(folder.metrics()) == rows
    assert [row["step"] for row in folder.metrics("val")] == [1, 2]


def test_files_are_strict_json(tmp_path):
    run = RunDirectory(tmp_path)
    run.write_json("a.json", {"x": [float("nan"), 1.5, float("inf")], "y": {"z": -float("inf")}})
    refuse = {"parse_constant": lambda name: pytest.fail(name)}
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text, **refuse) == {"x": [None, 1.5, None], "y": {"z": None}}
    run.metrics_file.write_text('{"step": 1, "split": "val", "loss": null}\n')
    (row,) = run.metrics("val")
    assert row["step"] == 1 and row["loss"] != row["loss"]
