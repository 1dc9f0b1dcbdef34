"""A save that is cut off or refused anywhere leaves the old checkpoint or the new one."""

import errno
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from killed import ending

from zoo.errors import UserError
from zoo.training.checkpoint import Checkpointer


def tensors(step):
    return {"model": {"w": torch.full((4, 4), float(step))}, "optimizer": {"w|m": torch.ones(3)}}


def save(folder, step):
    Checkpointer(folder).save("last", step, tensors(step), {"step": step})


def loaded(folder):
    """The step of the newest checkpoint that verifies, its content checked."""
    checkpoint = Checkpointer(folder).load("last", lambda text: None)
    assert torch.equal(checkpoint.tensors["model"]["w"], tensors(checkpoint.step)["model"]["w"])
    assert checkpoint.state == {"step": checkpoint.step}
    return checkpoint.step


# ----------------------------------------------------- every call may be the last before a crash


class Recorder:
    """What a save asks of the disk, in order."""

    def __init__(self, monkeypatch):
        self.calls = []
        for owner, name, note in (
            (Path, "mkdir", lambda p, *a, **k: ("mkdir", str(p))),
            (Path, "rename", lambda p, to: ("rename", str(p), str(to))),
            (shutil, "rmtree", lambda p, *a, **k: ("rmtree", str(p))),
            (os, "fsync", lambda fd: ("fsync", str(Path(f"/proc/self/fd/{fd}").readlink()))),
        ):
            monkeypatch.setattr(owner, name, self._noting(getattr(owner, name), note))
        monkeypatch.setattr(Path, "open", self._opening(Path.open))

    def _noting(self, function, note):
        def call(*args, **kwargs):
            said = note(*args, **kwargs)
            if said[0] != "rmtree" or Path(said[1]).exists():
                self.calls.append(said)
            return function(*args, **kwargs)

        return call

    def _opening(self, function):
        recorder = self

        def call(path, mode="r", *args, **kwargs):
            file = function(path, mode, *args, **kwargs)
            if "w" not in mode:
                return file
            recorder.calls.append(("create", str(path)))
            write = file.write

            class Noting:
                def __enter__(self):
                    return self

                def __exit__(self, *error):
                    file.close()

                def __getattr__(self, name):
                    return getattr(file, name)

                def write(self, content):
                    recorder.calls.append(("write", str(path), bytes(content)))
                    return write(content)

            return Noting()

        return call


def crashed(base, calls, done, data, entries):
    """A folder as a crash after `done` calls leaves it.

    Args:
        base: The folder before the save.
        calls: All calls of the save.
        done: How many of them came before the crash.
        data: What became of content that no fsync secured: "lost", "torn", "whole".
        entries: Whether names (created, renamed, removed) that no fsync secured are there.
    """
    past = calls[:done]

    def secured(path, after):
        return ("fsync", path) in past[after:]

    for k, (kind, path, *rest) in enumerate(past):
        target = Path(path.replace(str(base[0]), str(base[1])))
        known = entries or secured(str(Path(path).parent), k)
        if kind == "mkdir" and known:
            target.mkdir(parents=True, exist_ok=True)
        elif kind == "create" and known and target.parent.is_dir():
            target.write_bytes(b"")
        elif kind == "write" and target.exists():
            content = rest[0]
            if not secured(path, k):
                content = {"lost": b"", "torn": content[: len(content) // 2]}.get(data, content)
            target.write_bytes(content)
        elif kind == "rename" and known and target.exists():
            target.rename(rest[0].replace(str(base[0]), str(base[1])))
        elif kind == "rmtree" and known:
            shutil.rmtree(target, ignore_errors=True)


@pytest.mark.parametrize("again", [False, True], ids=["a new step", "the same step"])
def test_power_may_fail_anywhere(tmp_path, monkeypatch, again):
    real, before = tmp_path / "real", tmp_path / "before"
    for step in (10, 20):
        save(real, step)
    shutil.copytree(real, before)
    new = 20 if again else 30
    with monkeypatch.context() as patch:
        recorder = Recorder(patch)
        save(real, new)
    calls = recorder.calls
    kinds = [call[0] for call in calls]
    assert kinds.count("write") == 4 and kinds.count("rename") == 1 and kinds.count("fsync") == 6
    assert calls[-1][0] == "rmtree" or calls[-2][0] == "rename"
    outcomes = set()
    for done in range(len(calls) + 1):
        for data in ("lost", "torn", "whole"):
            for entries in (False, True):
                after = tmp_path / "after"
                shutil.copytree(before, after)
                crashed((real, after), calls, done, data, entries)
                step = loaded(after)
                outcomes.add(step)
                assert step in ((10, 20) if again else (20, 30)), (calls[:done], data, entries)
                if done == len(calls):
                    assert step == new, "what save() has promised is on the disk"
                shutil.rmtree(after)
    assert len(outcomes) == 2


def test_the_manifest_is_last_and_the_rename_after_it(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        recorder = Recorder(patch)
        save(tmp_path / "c", 1)
    names = [(kind, Path(path).name) for kind, path, *_ in recorder.calls]
    writes = [name for kind, name in names if kind == "write"]
    assert writes[-1] == "manifest.json"
    for name in writes:
        assert names.index(("fsync", name)) > names.index(("write", name))
    renamed = [kind for kind, _ in names].index("rename")
    temporary = names[renamed][1]
    assert names[renamed - 1] == ("fsync", temporary)  # its names, before it gets its own
    assert names[renamed + 1] == ("fsync", "c")


# ------------------------------------------------------------------- every call may be refused


class Refusing:
    """Lets `allowed` calls pass and fails the next one, and, with `for_ever`, all that follow."""

    def __init__(self, monkeypatch, allowed, number, for_ever):
        self.left, self.number, self.for_ever, self.refused = allowed, number, for_ever, 0
        for owner, name in ((Path, "mkdir"), (Path, "rename"), (os, "fsync"), (Path, "open")):
            monkeypatch.setattr(owner, name, self._limited(getattr(owner, name), name))

    def _limited(self, function, name):
        def call(*args, **kwargs):
            if name == "open" and "w" not in (args[1] if len(args) > 1 else "r"):
                return function(*args, **kwargs)
            self.left -= 1
            if self.left == -1 or (self.for_ever and self.left < 0):
                self.refused += 1
                if name == "open":  # what a full disk does: it takes the half
                    with function(*args, **kwargs) as file:
                        file.write(b"half of it")
                raise OSError(self.number, os.strerror(self.number))
            return function(*args, **kwargs)

        return call


@pytest.mark.parametrize("for_ever", [False, True])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_any_call_may_be_refused(tmp_path, monkeypatch, number, for_ever):
    refusals = 0
    for allowed in range(40):
        folder = tmp_path / f"{allowed}"
        save(folder, 10)
        save(folder, 20)
        with monkeypatch.context() as patch:
            refusing = Refusing(patch, allowed, number, for_ever)
            try:
                save(folder, 30)
            except UserError as error:
                line = str(error)
                assert os.strerror(number) in line and str(folder) in line
                assert re.search(r"needs [\d,]+ bytes, [\d,]+ are free", line)
                assert "resume=" in line and "last-00000020" in line
                refusals += 1
            else:
                assert refusing.refused == 0, "never silent"
        assert loaded(folder) in (20, 30)
        assert not list(folder.glob(".writing-*"))
        save(folder, 40)
        assert loaded(folder) == 40
        if refusing.refused == 0:
            break
    assert refusals == allowed >= 11  # each call of the protocol was refused once


# ------------------------------------------------------------------------------ a full disk

TINY = (
    "model=mlp", "model.width=64", "data=rain", "data.samples=100", "trainer.precision=fp32",
    "trainer.max_steps=60", "trainer.save_steps=2", "trainer.eval_steps=4", "trainer.log_steps=1",
)  # fmt: skip


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 2.5 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2500k", "tmpfs", str(folder)]
    if os.name != "posix" or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk, leave):
    """Leave about `leave` bytes free."""
    free = shutil.disk_usage(disk).free - leave
    (disk / "filler").write_bytes(bytes(max(0, free)))


def test_a_disk_too_small_is_reported_before_anything_is_written(small_disk, train):
    fill(small_disk, 300_000)
    done = train(*TINY, f"output_dir={small_disk / 'runs'}")
    assert done.code == 2 and done.err.startswith("error: no space left for the run")
    assert done.err.count("\n") == 1 and not (small_disk / "runs").exists()


@pytest.mark.parametrize(("leave", "save"), [(0, 2), (60_000, 2), (0, 1000)])
def test_a_disk_that_fills_up_ends_the_run_and_the_last_checkpoint_holds(
    small_disk, train, tmp_path, monkeypatch, leave, save
):
    """With few saves it is the log that finds no room."""
    from zoo.training.trainer import Trainer

    report = Trainer.report_when_due

    def filling(trainer):
        report(trainer)
        if trainer.step == 9:
            fill(small_disk, leave)

    monkeypatch.setattr(Trainer, "report_when_due", filling)
    mine = (*TINY, f"trainer.save_steps={save}")
    done = train(*mine, f"output_dir={small_disk / 'runs'}")
    monkeypatch.undo()
    (run,) = (small_disk / "runs" / "mlp_rain_plain").iterdir()
    assert done.code == 2, (done.out, done.err)
    assert done.err.startswith("error: ") and done.err.count("\n") == 1 and str(run) in done.err
    assert re.search(r"[\d,]+ bytes", done.err) or "No space left" in done.err
    newest = Checkpointer(run / "checkpoints").load("last", lambda text: None)
    assert newest.step >= 8 if save == 2 else newest is None
    (small_disk / "filler").unlink()
    shutil.copytree(run, tmp_path / "run")
    assert train(f"resume={tmp_path / 'run'}").code == 0
    whole = train(*mine)
    assert ending(tmp_path / "run")["last"]["model"].keys()
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == (
        whole.path / "metrics.jsonl"
    ).read_text()
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "done"
