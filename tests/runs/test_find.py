"""The run that a user names by a folder of runs, or by `last`."""

import os

import pytest
from support import write_run

from zoo.errors import UserError
from zoo.runs.find import find_run, newest_done


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """Runs, a sweep's trials, and a run that has saved nothing yet; copied, so all are as new."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "a/260102_1000",
        "a/260102_1000-2",
        "a/260102_1000-10",
        "b/2025-12-31_23-59-59/lr=1,seed=0",
        "b/mine",
    ):
        run = write_run(tmp_path / "outputs" / name)
        (run / "checkpoints" / "best-00000001").mkdir()
        os.utime(run / "config.yaml", (1_600_000_000, 1_600_000_000))
    write_run(tmp_path / "outputs" / "a" / "260103_0000")
    return tmp_path / "outputs"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("outputs/a", "a/260102_1000-10"),
        ("outputs/a/260102_1000-2", "a/260102_1000-2"),
        ("outputs/b", "b/2025-12-31_23-59-59/lr=1,seed=0"),
        ("outputs/b/2025-12-31_23-59-59", "b/2025-12-31_23-59-59/lr=1,seed=0"),
        ("outputs", "a/260102_1000-10"),
        (".", "a/260102_1000-10"),
        ("last", "a/260102_1000-10"),
    ],
)
def test_the_newest_run_is_taken_and_named(outputs, capsys, text, found):
    assert find_run(text).path.resolve() == outputs / found
    said = capsys.readouterr()
    noted = f"note: run={text} is the newest run there, " in said.err
    assert said.out == "" and noted == (text != f"outputs/{found}")


def test_a_run_to_resume_needs_no_checkpoint(outputs):
    assert find_run("last", "resume", trained=False).path.name == "260103_0000"


def test_a_folder_named_last_is_that_folder(outputs):
    write_run(outputs.parent / "last")
    assert str(find_run("last").path) == "last"


def test_where_there_is_no_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for text, said in {
        "last": "run=last: there is no run below outputs",
        "empty": "run=empty is not a run directory",
        "nowhere": "run=nowhere: there is no such folder",
        "~nobody-of-that-name/x": "nobody's home folder",
    }.items():
        with pytest.raises(UserError, match=said):
            find_run(text)


@pytest.mark.parametrize(
    ("done", "found"),
    [
        (("a/260102_1000-2", "a/260102_1000-10"), "a/260102_1000-10"),
        (("a/260102_1000-2", "b/2025-12-31_23-59-59/lr=1,seed=0"), "a/260102_1000-2"),
        (("b/2025-12-31_23-59-59/lr=1,seed=0",), "b/2025-12-31_23-59-59/lr=1,seed=0"),
        ((), None),
    ],
)
def test_the_newest_that_is_done_trials_of_a_sweep_included(outputs, done, found):
    for path in outputs.glob("**/result.json"):
        is_done = str(path.parent.relative_to(outputs)) in done
        path.write_text('{"status": "done"}' if is_done else '{"status": "failed"}')
    assert newest_done(outputs) == (outputs / found if found else None)
    assert newest_done(outputs / "a" / "260102_1000") is None
