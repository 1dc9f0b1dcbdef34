"""The process that trials are forked from."""

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

from zoo.errors import UserError
from zoo.sweep import fork_server
from zoo.sweep.fork_server import ForkRequest, ForkServer, Slot, start_for_sweep


def say(word, code):
    import torch

    print(word, os.environ["MARK"], torch.get_num_threads())
    return code


def wait():
    print(os.getpid(), flush=True)
    time.sleep(600)
    return 0


def crash():
    raise KeyError("unexpected")


def log_of(folder, number):
    return folder / f"{number}.log"


def request(folder, number, work):
    return ForkRequest(number, work, log_of(folder, number), Slot(1, {"MARK": "here"}))


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
    server = ForkServer.start()
    for number, work in enumerate((partial(say, "one", 0), partial(say, "two", 3), crash, wait)):
        server.fork(request(folder, number, work))
    ends = []
    while len(ends) < 3:
        ends += server.wait_exits(60)
    until(lambda: written(folder, 3))
    server.signal(3, signal.SIGTERM)
    server.signal(0, signal.SIGTERM)  # it has exited: nothing is signalled
    ends += server.wait_exits(60)
    server.close()
    print(json.dumps([sorted(ends), server.machine()]))


def test_trials_run_in_their_slots_and_their_exits_are_reported(tmp_path):
    log = tmp_path / "log"
    assert forked.call(log, several, tmp_path) == 0, log.read_text()
    ends, (gpus, threads) = json.loads(log.read_text())
    assert ends == [[0, 0], [1, 3], [2, 70], [3, 128 + signal.SIGTERM]]
    assert gpus >= 0 and threads >= 1
    assert [log_of(tmp_path, k).read_text() for k in (0, 1)] == ["one here 1\n", "two here 1\n"]
    assert "unexpected" in log_of(tmp_path, 2).read_text()


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def start_one(folder, then):
    server = ForkServer.start()
    server.fork(request(folder, 0, wait))
    until(lambda: written(folder, 0))
    print(server.pid, flush=True)
    then(server)


def hang(server):
    time.sleep(600)


def kill_and_wait(server):
    os.kill(server.pid, signal.SIGKILL)
    server.wait_exits(60)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")
@pytest.mark.parametrize(
    "then", [hang, ForkServer.close, kill_and_wait], ids=["killed", "closed", "died"]
)
def test_no_trial_outlives_it(tmp_path, then):
    log = tmp_path / "log"
    process = forked.start(log, start_one, tmp_path, then)
    until(lambda: log.exists() and log.read_text().endswith("\n"))
    if then is hang:
        os.kill(process.pid, signal.SIGKILL)
    code = forked.finish(process)
    pids = [int(log.read_text().split()[0]), int(log_of(tmp_path, 0).read_text())]
    until(lambda: not any(map(alive, pids)))
    assert code == {hang: -signal.SIGKILL, ForkServer.close: 0, kill_and_wait: 99}[then]
    if then is kill_and_wait:
        assert "TrainingFailed: the process that trials are forked from has died" in log.read_text()


def test_a_mistake_that_its_imports_meet_is_that_of_the_sweep(monkeypatch, capfd):
    def refuse():
        raise UserError("ZOO_KERNELS=fast: expected auto or reference")

    monkeypatch.setattr(fork_server, "preload", refuse)
    server = ForkServer.start()
    with pytest.raises(UserError, match="ZOO_KERNELS=fast"):
        server.machine()
    server.close()
    assert not capfd.readouterr().err


def test_a_trial_that_cannot_be_forked_says_so_in_its_log(tmp_path, monkeypatch):
    def refuse():
        raise OSError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(fork_server.os, "fork", refuse)
    log_of(tmp_path, 4).write_text("an earlier attempt\n")
    here, there = Pipe()
    here.send(request(tmp_path, 4, wait))
    fork_server._handle_request(there, running := {})
    assert here.recv() == (4, 70) and not running
    said = log_of(tmp_path, 4).read_text()
    assert said == "an earlier attempt\ncannot be forked: no more processes\n"


@pytest.mark.parametrize("other", [("seed=1,2",), ("-m", "hydra/launcher=joblib"), ("--help",)])
def test_only_sweeps_that_zoo_runs_have_one(other):
    assert start_for_sweep(list(other)) is None
