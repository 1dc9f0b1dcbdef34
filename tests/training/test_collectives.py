"""Ranks that are lost, and ranks that are waited for."""

import os
import signal
import time
from datetime import timedelta

import forked
import pytest
import torch

from zoo.errors import TrainingFailed
from zoo.training import runtime as runtimes
from zoo.training.collectives import lost_ranks_reported

GLOO = "[/gloo/transport/tcp/pair.cc:537] Read error [::1]:5: Connection reset by peer. GLHF"


def test_a_lost_rank_is_one_line_with_what_to_do():
    with pytest.raises(TrainingFailed) as failed, lost_ranks_reported(2, "; resume"):
        raise RuntimeError(GLOO)
    reason = "Read error [::1]:5: Connection reset by peer"
    assert str(failed.value) == f"another rank has ended ({reason}); resume"


@pytest.mark.parametrize(("ranks", "message"), [(1, GLOO), (2, "shapes do not fit")])
def test_other_errors_stay_what_they_are(ranks, message):
    with pytest.raises(RuntimeError, match="gloo|shapes"), lost_ranks_reported(ranks):
        raise RuntimeError(message)


def slow_then_lost(folder, rank):
    """Rank 1 waits for rank 0 for longer than a step may take, and then dies."""
    runtimes.STEP_TIMEOUT = timedelta(seconds=0.5)
    runtime = runtimes.Runtime.start("cpu")
    if rank == 0:
        time.sleep(1)
    assert runtime.first(rank) == 0 and runtime.gather(rank) == [0, 1]
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        with lost_ranks_reported(2):
            runtime.sum(torch.ones(1))
    except TrainingFailed:
        return 1
    return 3


def test_ranks_wait_for_long_work_and_notice_a_death(tmp_path):
    log = tmp_path / "log"
    assert forked.call_ranks(log, slow_then_lost, tmp_path) == [1, -9], log.read_text()
