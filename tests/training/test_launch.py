"""Ranks started on this machine: the same end as with one process."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import forked
import killed
import pytest

from zoo.runs.directory import find_runs

HERE = Path(__file__).parent

TEXT = ("data=text", "data.path={text}", "data.root={root}", "data.block_size=8")


PAIRS = ("data=numbers", "data.size=150", "task=seq2seq", "model.width=8")


FAMILIES = {
    "mlp, batch norm": (
        "model=mlp", "model.width=8", "model.norm=batch", "data=rain", "data.samples=120",
    ),
    "gpt": (
        "model=gpt", "model.width=8", "model.depth=1", "model.heads=2", "task=causal_lm", *TEXT,
    ),
    "lstm": ("model=rnn", "model.width=8", "model.depth=1", "task=causal_lm", *TEXT),
    "bert, muon": (
        "model=bert", "model.width=8", "model.depth=1", "model.heads=2", "model.dropout=0",
        "task=masked_lm", "data.mask_token=true", "optim=muon", "optim.lr=1e-3", *TEXT,
    ),
    "transformer, padding": (
        "model=transformer", "model.depth=1", "model.heads=2", "model.dropout=0", *PAIRS,
    ),
    "rnn_attention, padding": ("model=rnn_attention", "model.dropout=0", *PAIRS),
}  # fmt: skip


def train_on_ranks(folder, rank):
    """As torchrun starts it."""
    arguments = json.loads((folder / "arguments.json").read_text())
    return killed.train([*arguments, f"output_dir={folder}"])


def same_figures(paths):
    figures = [[json.loads(row) for row in (p / "metrics.jsonl").open()] for p in paths]
    assert len(figures[0]) == len(figures[1]) > 0
    for a, b in zip(*figures):
        assert (a["step"], a["split"]) == (b["step"], b["split"])
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
    result = json.loads((paths[1] / "result.json").read_text())
    assert result["status"] == "done" and result["environment"]["ranks"] == 2


@pytest.fixture
def small(tmp_path):
    """The settings of a family, made small, on text of its own."""
    text = tmp_path / "text.txt"
    text.write_text("".join(random.Random(0).choices("abcde \n", k=3000)))

    def of(family):
        settings = [part.format(text=text, root=tmp_path) for part in FAMILIES[family]]
        return [*settings, "data.batch_size=18", "trainer=debug", "trainer.precision=fp32"]

    return of


@pytest.mark.parametrize("family", FAMILIES)
def test_two_ranks_end_where_one_does(family, small, train, tmp_path):
    alone, folder = train(*small(family), "seed=3"), tmp_path / "ranks"
    assert alone.code == 0, alone.err
    folder.mkdir()
    settings = [*small(family), "seed=3", "trainer.device=cpu"]
    (folder / "arguments.json").write_text(json.dumps(settings))
    log = tmp_path / "log"
    assert forked.call_ranks(log, train_on_ranks, folder) == [0, 0], log.read_text()
    same_figures([alone.path, *find_runs(folder)])


def test_two_devices_end_where_one_does(small, train):
    """The real launcher: two processes of this machine, one run directory."""
    paths = []
    for devices in (1, 2):
        folder = train.outputs / str(devices)
        settings = [*small("mlp, batch norm"), "seed=3", f"trainer.devices={devices}"]
        done = train(*settings, f"output_dir={folder}")
        assert done.code == 0, done.err
        paths += folder.glob("*/*")
    same_figures(paths)


def test_word2vec_on_two_devices(train, tmp_path):
    """Each rank draws its own noise words, in training and evaluation: the same objective."""
    text = tmp_path / "text.txt"
    text.write_text(
        " ".join(random.Random(0).choices(["the", "cat", "and", "a", "dog", "ran", "home"], k=4000))
    )
    small = (
        "model=word2vec", "model.width=4", "task=skip_gram", "data=text", f"data.path={text}",
        f"data.root={tmp_path}", "data.tokenizer=word", "data.block_size=16", "data.batch_size=8",
        "optim=row_adagrad", "trainer=debug", "trainer.max_samples=null", "seed=3",
    )  # fmt: skip
    losses = []
    for devices in (1, 2):
        folder = train.outputs / str(devices)
        assert train(*small, f"trainer.devices={devices}", f"output_dir={folder}").code == 0
        (path,) = folder.glob("*/*")
        losses.append(json.loads((path / "result.json").read_text())["test"]["loss"])
    # With other seeds of the evaluation, one device varies by 3 %.
    assert losses[0] == pytest.approx(losses[1], rel=0.08)


@pytest.mark.parametrize(
    ("mistake", "expected"),
    [("data.batch_size=1", "cannot be cut"), ("init.from=nowhere", "init.from=nowhere")],
)  # on every rank; on the one that goes first
def test_a_mistake_on_two_ranks_is_reported_once(tmp_path, mistake, expected):
    common = ["model=mlp", "data=rain", "trainer=debug", "trainer.devices=2"]
    log = tmp_path / "log"
    assert forked.call(log, killed.train, [*common, mistake, f"output_dir={tmp_path}"]) == 2
    said = log.read_text()
    assert said.count("error: ") == 1 and expected in said and "Traceback" not in said


# ------------------------------------------------------------------ no rank is left behind


def started(folder, *arguments):
    """A launcher whose two ranks are at work, and their process ids."""
    command = [sys.executable, str(HERE / "ranks.py"), str(folder), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    works = appear(folder, "[01] works", 1 if "hanging" in arguments else 2)
    return process, [int(path.read_text() or 0) for path in works]


def appear(folder, pattern, number):
    """The files of that name, once there are so many."""
    deadline = time.monotonic() + 30
    while len(found := [p for p in sorted(folder.glob(pattern)) if p.read_text()]) < number:
        assert time.monotonic() < deadline, f"{number} of '{pattern}' expected, got {found}"
        time.sleep(0.02)
    return found


def gone(ids):
    """Wait until the processes have ended."""
    deadline = time.monotonic() + 30
    while left := [pid for pid in ids if Path(f"/proc/{pid}").exists() and not is_zombie(pid)]:
        assert time.monotonic() < deadline, f"{left} still run"
        time.sleep(0.02)
    return True


def is_zombie(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")


@needs_proc
@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR2", "SIGTERM"])
def test_a_signal_reaches_every_rank(tmp_path, name):
    launcher, ranks = started(tmp_path)
    launcher.send_signal(getattr(signal, name))
    assert launcher.wait(30) == 128 + getattr(signal, name) and gone(ranks)
    assert len(list(tmp_path.glob(f"[01] saved after {name}"))) == 2
    assert launcher.stderr.read() == ""


@needs_proc
def test_ranks_save_and_end_when_the_launcher_is_killed(tmp_path):
    launcher, ranks = started(tmp_path)
    launcher.kill()
    launcher.wait(30)
    assert gone(ranks) and len(list(tmp_path.glob("[01] saved after SIGTERM"))) == 2


@needs_proc
def test_a_rank_that_waits_for_a_dead_one_is_killed(tmp_path):
    launcher, ranks = started(tmp_path, "hanging", "0.2")
    assert launcher.wait(30) == 128 + signal.SIGKILL and gone(ranks)
    (line,) = launcher.stderr.read().splitlines()
    assert line == "failed: SIGKILL ended rank 1; is the machine out of memory?"
