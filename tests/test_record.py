"""What makes a folder a run is written whole, or there is no run; a run from elsewhere is data."""

import errno
import json
import os
import shutil
import signal
from pathlib import Path

import forked
import killed
import pytest
import yaml

from zoo.runs.records import read_runs

TINY = ("model=mlp", "model.width=4", "data=rain", "data.samples=100", "trainer=debug")


@pytest.mark.parametrize("name", ["dataset.json", "overrides.txt", "config.yaml", "train.log"])
def test_a_disk_that_refuses_a_first_file_leaves_no_run(name, train, monkeypatch):
    original = Path.open

    def refusing(path, mode="r", *arguments, **options):
        if name in path.name and mode != "r" and train.outputs in path.parents:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return original(path, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", refusing)
    refused = train(*TINY)
    assert refused.code == 2 and not train.outputs.exists()
    assert refused.err.count("\n") == 1
    assert "No space left on device" in refused.err and "bytes are free" in refused.err


def test_other_runs_stay_where_a_new_one_is_refused(train, monkeypatch):
    first = train(*TINY)
    monkeypatch.setattr(killed.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(5, "I/O")))
    refused = train(*TINY)
    assert refused.code == 2 and "I/O" in refused.err
    assert list(first.path.parent.iterdir()) == [first.path]


def test_a_kill_while_the_first_files_are_written_leaves_a_run_or_none(tmp_path, data_root):
    """Before each of the first calls that ask the disk."""
    from zoo.commands.predict import main as predict
    from zoo.runs.directory import find_runs

    for at in (1, 3, 5, 6, 8):
        outputs, log = tmp_path / f"{at}", tmp_path / f"{at}.log"
        arguments = [*TINY, f"output_dir={outputs}", "trainer.device=cpu"]
        code = forked.call(log, killed.train, arguments, "fsync", at)
        assert code == -signal.SIGKILL, log.read_text()
        for run in find_runs(outputs):
            assert forked.call(log, killed.train, [f"resume={run}"]) == 0, log.read_text()
            assert predict([f"run={run}", "input=0.1,0.2,0.3"]) in (0, 2)
            assert (run / "dataset.json").is_file()
    assert any(find_runs(tmp_path / "8")) and not any(find_runs(tmp_path / "5"))


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a small run, stopped before its end."""
    if not hasattr(trained, "for_links"):
        trained.for_links = trained("links", "model=mlp", "model.width=4", "data=rain")
    shutil.copytree(trained.for_links, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_that_lacks_the_facts_of_its_data_gets_them(run, train, capsys):
    from zoo.commands.evaluate import main as evaluate

    before = json.loads((run / "dataset.json").read_text())
    (run / "dataset.json").unlink()
    assert train(f"resume={run}", "trainer.max_steps=45").code == 0
    assert json.loads((run / "dataset.json").read_text()) == before
    assert evaluate([f"run={run}"]) == 0


@pytest.mark.parametrize("name", ["checkpoints", "metrics.jsonl", "train.log", "previews"])
def test_a_link_that_leads_out_of_a_run_is_refused(name, run, train, tmp_path):
    theirs = tmp_path / "theirs"
    shutil.rmtree(run / name, ignore_errors=True)
    (run / name).unlink(missing_ok=True)
    if "." in name:
        theirs.write_text("my thesis")
    else:
        (theirs / "last-00000099").mkdir(parents=True)
        (theirs / "last-00000099" / "thesis.txt").write_text("my thesis")
    (run / name).symlink_to(theirs)
    files = {p: p.read_text() for p in [theirs, *theirs.rglob("*")] if p.is_file()}
    refused = train(f"resume={run}", "trainer.max_steps=45")
    assert refused.code == 2 and refused.err.count("\n") == 1
    assert f"{name} is a link to" in refused.err
    assert {p: p.read_text() for p in [theirs, *theirs.rglob("*")] if p.is_file()} == files


def test_a_pipe_in_a_run_is_refused_and_not_waited_for(run, train):
    (run / "metrics.jsonl").unlink()
    os.mkfifo(run / "metrics.jsonl")
    refused = train(f"resume={run}", "trainer.max_steps=45")
    assert refused.code == 2 and "metrics.jsonl is neither a file nor a folder" in refused.err


def test_links_inside_a_run_and_a_link_to_it_are_the_users_choice(run, train, tmp_path):
    (run / "newest").symlink_to(run / "checkpoints")
    (tmp_path / "link").symlink_to(run)
    assert train(f"resume={tmp_path / 'link'}", "trainer.max_steps=45").code == 0


def test_a_config_from_elsewhere_reads_no_variable(run, train, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "secret-value")
    config = yaml.safe_load((run / "config.yaml").read_text())
    config |= {"name": "${oc.env:MY_TOKEN}"}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    assert train(f"resume={run}", "trainer.max_steps=45").code == 0
    for file in run.rglob("*"):
        if file.is_file():
            assert b"secret-value" not in file.read_bytes(), file


def test_a_run_that_is_killed_when_resumed_has_no_result_of_before(run, tmp_path):
    """Its settings are those of the longer training, and the figures would be of the shorter."""
    assert read_runs([run])[0][0].status == "done" and (run / "report.html").is_file()
    arguments, log = [f"resume={run}", "trainer.max_steps=45"], tmp_path / "log"
    assert forked.call(log, killed.train, arguments, "step", 3) == -signal.SIGKILL, log.read_text()
    done, (unranked,) = read_runs([run])
    assert not done and unranked.state == "unfinished"
    assert unranked.command[:3] == ("python", "train.py", f"resume={run}")
    assert not (run / "report.html").exists()


@pytest.mark.parametrize("lost", ["all", "a tail", "the file", "a line"])
def test_a_run_that_lost_metrics_goes_on(lost, run, train):
    file = run / "metrics.jsonl"
    content = file.read_bytes()
    left = {"all": b"", "a tail": content[:-400], "a line": b"\0" * 20 + content[20:]}.get(lost)
    file.unlink() if left is None else file.write_bytes(left)
    done = train(f"resume={run}", "trainer.max_steps=45")
    assert done.code == 0 and "warning: " in done.out and "lacks" in done.out
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert rows[-1]["step"] == 45 and len({(r["step"], r["split"]) for r in rows}) == len(rows)
