"""Restarts by torchrun: the run goes on in its folder."""

import os
import socket

import forked
import killed
import pytest

from zoo.runs.directory import RunDirectory, find_runs
from zoo.training.elastic import mark, restarted_run

RUN = (
    "model=mlp", "model.width=8", "data=rain", "data.samples=200", "data.batch_size=24",
    "trainer.max_steps=12", "trainer.save_steps=3", "trainer.eval_steps=4", "trainer.log_steps=2",
    "trainer.precision=fp32", "trainer.device=cpu", "trainer.save_minutes=null", "seed=3",
)  # fmt: skip


def train_on_ranks(output_dir, rank):
    return killed.train([*RUN, f"output_dir={output_dir}"])


def train_killed_once(output_dir):
    """One rank dies in step 8 of the first attempt."""
    dies = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0" and os.environ["RANK"] == "1"
    return killed.train([*RUN, f"output_dir={output_dir}"], *(("step", 8) if dies else ()))


def torchrun(output_dir):
    """As `torchrun --standalone --nproc-per-node 2 --max-restarts 1`, from warm processes."""
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=2, max_restarts=1, start_method="fork",
        rdzv_backend="c10d", rdzv_endpoint="localhost:0", run_id="here", monitor_interval=0.1,
    )  # fmt: skip
    codes = elastic_launch(config, train_killed_once)(output_dir)
    return max(codes.values())


def test_a_worker_killed_under_torchrun_costs_nothing(tmp_path):
    log = tmp_path / "log"
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert forked.call_ranks(log, train_on_ranks, whole) == [0, 0], log.read_text()
    assert forked.call(log, torchrun, broken) == 0, log.read_text()
    (expected,), (run,) = find_runs(whole), find_runs(broken)  # one folder each
    assert killed.differences(killed.ending(expected), killed.ending(run)) == []


@pytest.fixture
def attempt(monkeypatch):
    """Set what torchrun tells a worker."""

    def be(count, run_id="7"):
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", run_id)
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", str(count))

    return be


def made(folder, name, overrides="a=1\n"):
    """A run of this launch."""
    path = folder / name
    path.mkdir()
    (path / "overrides.txt").write_text(overrides)
    mark(RunDirectory(path))
    (path / "config.yaml").write_text("")
    return path


def test_the_folder_is_that_of_this_launch_and_command(tmp_path, attempt):
    attempt(0)
    assert restarted_run(tmp_path, ["a=1"]) is None
    run = made(tmp_path, "mine")
    assert restarted_run(tmp_path, ["a=1"]) is None  # the first attempt begins a run of its own
    attempt(1)
    assert restarted_run(tmp_path, ["a=1"]).path == run
    assert restarted_run(tmp_path, ["a=2"]) is None
    (run / "config.yaml").unlink()  # its first attempt did not get that far
    assert restarted_run(tmp_path, ["a=1"]) is None
    attempt(1, "8")
    assert restarted_run(tmp_path, ["a=1"]) is None


def test_launches_without_an_id_are_told_apart(tmp_path, attempt, monkeypatch):
    attempt(1, "none")
    run = made(tmp_path, "mine")
    assert restarted_run(tmp_path, ["a=1"]).path == run
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    assert restarted_run(tmp_path, ["a=1"]) is None


def test_without_torchrun_nothing_is_marked(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    run = made(tmp_path, "mine")
    assert not (run / ".torchrun").exists()
    assert restarted_run(tmp_path, ["a=1"]) is None
