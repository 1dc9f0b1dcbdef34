"""The process that members are forked from."""

import errno
import json
import os
import signal
import time
from functools import partial
from multiprocessing import Pipe
from pathlib import Path

import forked
import pytest

from zoo.sweep import fork_server as nursery
from zoo.sweep.fork_server import Nursery, Order, Slot, begin


def say(word, code):
    import torch

    print(word, os.environ["MARK"], torch.get_num_threads())
    return code


def wait():
    print(os.getpid(), flush=True)
    time.sleep(600)
    return 0


def crash():
    raise KeyError("nobody expects it")


def log_of(folder, number):
    return folder / f"{number}.log"


def order(folder, number, work):
    return Order(number, work, log_of(folder, number), Slot(1, {"MARK": "here"}))


def until(condition, seconds=60):
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError


def written(folder, number):
    log = log_of(folder, number)
    return log.exists() and log.read_text().endswith("\n")


def several(folder):
    nursery = Nursery.begin()
    for number, work in enumerate((partial(say, "one", 0), partial(say, "two", 3), crash, wait)):
        nursery.fork(order(folder, number, work))
    ends = []
    while len(ends) < 3:
        ends += nursery.ended(60)
    until(lambda: written(folder, 3))
    nursery.signal(3, signal.SIGTERM)
    nursery.signal(0, signal.SIGTERM)  # long gone: nobody is hit
    ends += nursery.ended(60)
    nursery.end()
    print(json.dumps([sorted(ends), nursery.machine()]))


def test_members_have_their_share_and_their_ends_are_told(tmp_path):
    log = tmp_path / "log"
    assert forked.call(log, several, tmp_path) == 0, log.read_text()
    ends, (gpus, threads) = json.loads(log.read_text())
    assert ends == [[0, 0], [1, 3], [2, 70], [3, 128 + signal.SIGTERM]]
    assert gpus >= 0 and threads >= 1
    assert [log_of(tmp_path, k).read_text() for k in (0, 1)] == ["one here 1\n", "two here 1\n"]
    assert "nobody expects it" in log_of(tmp_path, 2).read_text()


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def one_waits(folder, then):
    nursery = Nursery.begin()
    nursery.fork(order(folder, 0, wait))
    until(lambda: written(folder, 0))
    print(nursery.pid, flush=True)
    then(nursery)


def hang(nursery):
    time.sleep(600)


def kill_and_ask(nursery):
    os.kill(nursery.pid, signal.SIGKILL)
    nursery.ended(60)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="tells by /proc who lives")
@pytest.mark.parametrize("then", [hang, Nursery.end, kill_and_ask], ids=["killed", "end", "lost"])
def test_nobody_outlives_it(tmp_path, then):
    log = tmp_path / "log"
    process = forked.start(log, one_waits, tmp_path, then)
    until(lambda: log.exists() and log.read_text().endswith("\n"))
    if then is hang:
        os.kill(process.pid, signal.SIGKILL)
    code = forked.finish(process)
    pids = [int(log.read_text().split()[0]), int(log_of(tmp_path, 0).read_text())]
    until(lambda: not any(map(alive, pids)))
    assert code == {hang: -signal.SIGKILL, Nursery.end: 0, kill_and_ask: 99}[then]
    if then is kill_and_ask:
        assert "TrainingFailed: the process that members are forked from has" in log.read_text()


def test_what_cannot_be_forked_says_so_in_its_log(tmp_path, monkeypatch):
    def refuse():
        raise OSError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(nursery.os, "fork", refuse)
    log_of(tmp_path, 4).write_text("an earlier attempt\n")
    here, there = Pipe()
    here.send(order(tmp_path, 4, wait))
    nursery._obey(there, running := {})
    assert here.recv() == (4, 70) and not running
    said = log_of(tmp_path, 4).read_text()
    assert said == "an earlier attempt\ncannot be forked: no more processes\n"


@pytest.mark.parametrize("other", [("seed=1,2",), ("-m", "hydra/launcher=joblib"), ("--help",)])
def test_only_our_own_sweeps_have_one(other):
    assert begin(list(other)) is None
