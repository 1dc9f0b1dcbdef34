"""The process pool, with a fork server whose processes are entries of a list."""

import signal
from pathlib import Path

import pytest

from zoo.sweep import pool
from zoo.sweep.fork_server import Slot


class Server:
    """Its processes exit with code 0 at once, or, if they hang, by the signal that they get."""

    def __init__(self, hanging=(), ignores_sigterm=False):
        self.hanging, self.ignores_sigterm = hanging, ignores_sigterm
        self.exits, self.requests, self.signals = [], [], []

    def fork(self, request):
        self.requests.append(request)
        if request.log.name not in self.hanging:
            self.exits.append((request.number, 0))

    def wait_exits(self, timeout):
        exits, self.exits = self.exits, []
        return exits

    def signal(self, number, signum):
        self.signals.append((number, signum))
        if signum == signal.SIGKILL or not self.ignores_sigterm:
            self.exits.append((number, 128 + signum))


def run(server, names, slots=1, limit=None, stop_after=None, retries=()):
    """The exits in their order, and the most jobs that ran at a time."""
    waiting = [pool.Job(lambda: 0, Path(name), limit) for name in names]
    retry_once, exits, most = set(retries), [], [0]

    def on_exit(job, code):
        exits.append((job.log.name, code))
        if job.log.name in retry_once:
            retry_once.remove(job.log.name)
            return pool.Job(job.work, job.log)
        return None

    pool.run(
        server,
        [Slot(1) for _ in range(slots)],
        next_job=lambda: waiting.pop(0) if waiting else None,
        on_exit=on_exit,
        stopping=lambda: stop_after is not None and len(exits) >= stop_after,
        on_tick=lambda running: most.append(len(running)),
    )
    assert max(most) <= slots
    return exits


def test_all_jobs_run_and_what_fails_is_retried_first():
    server = Server()
    assert [name for name, _ in run(server, "abc", retries="a")] == ["a", "a", "b", "c"]
    assert [request.number for request in server.requests] == [0, 1, 2, 3]


def test_a_job_that_exceeds_its_limit_is_terminated_alone():
    server = Server(hanging="a")
    assert sorted(run(server, "ab", slots=2, limit=-1)) == [("a", 143), ("b", 0)]


def test_a_job_that_ignores_sigterm_is_killed(monkeypatch):
    monkeypatch.setattr(pool, "GRACE_SECONDS", -1)
    server = Server(hanging="a", ignores_sigterm=True)
    assert run(server, "a", limit=-1) == [("a", 137)]
    assert server.signals == [(0, signal.SIGTERM), (0, signal.SIGKILL)]


@pytest.mark.parametrize("stop_after", [1, 2])
def test_stopping_starts_no_more_jobs_and_terminates_the_running_ones(stop_after):
    server = Server(hanging="z")
    exits = run(server, "zabc", slots=2, stop_after=stop_after)
    assert len(server.requests) == 1 + stop_after and exits[-1] == ("z", 143)
