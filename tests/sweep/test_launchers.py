"""A sweep by another of Hydra's launchers: the same folder, the same results."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = (
    "experiment=mlp_rain", "trainer.max_steps=4", "trainer.eval_steps=2", "trainer.device=cpu",
    "trainer.precision=fp32",
)  # fmt: skip
LONG = ("trainer.max_steps=4000", "trainer.eval_steps=4000", "trainer.save_steps=4000")


@pytest.fixture
def start(tmp_path):
    """`train.py -m` as typed, in `tmp_path`: launchers start processes of their own."""

    def run(*arguments):
        command = [sys.executable, str(ROOT / "train.py"), "-m", *arguments]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    return run


def folder(root):
    (path,) = root.glob("outputs/*/*/sweep.json")
    return path.parent


def status(run):
    return json.loads((run / "result.json").read_text())["status"]


def until(condition, seconds=120):
    for _ in range(10 * seconds):
        if condition():
            return
        time.sleep(0.1)
    raise TimeoutError


def job_of(pid):
    """The process ID of a launcher's job: the parent of the trial's process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


LAUNCHERS = {
    "submitit_local": ("hydra_submitit_launcher", ()),
    "ray": ("hydra_ray_launcher", ("+hydra.launcher.ray.init.num_cpus=2",)),
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_trials_equal_single_runs_and_failures_stay_alone(launcher, start, train, tmp_path):
    package, options = LAUNCHERS[launcher]
    pytest.importorskip(f"hydra_plugins.{package}")
    process = start(
        *TINY, "optim=sgd", "optim.lr=1e30,0.02", f"hydra/launcher={launcher}", *options
    )
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 1, said
    path = folder(tmp_path)
    assert "FAILED  lr=1e+30  failed: the validation loss" in said and "done    lr=0.02" in said
    assert "1 of 2 done" in said and f"hydra/launcher={launcher}" in said, "how to resume"
    assert (path / "table.txt").read_text() in said
    alone = train(*TINY, "optim=sgd", "optim.lr=0.02").path
    assert (alone / "metrics.jsonl").read_text() == (path / "lr=0.02/metrics.jsonl").read_text()
    assert not list(tmp_path.glob("[!od]*")), "nothing is left but outputs and data"


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds processes by /proc")
def test_jobs_that_are_preempted_or_killed_resume(start, train, tmp_path):
    """One is preempted, and queued again by submitit; the job of the other is killed."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    arguments = (*TINY, *LONG, "model.width=6")
    first = start(*arguments, "seed=1,2", "hydra/launcher=submitit_local")
    steps = lambda seed: list(tmp_path.glob(f"outputs/*/*/seed={seed}/metrics.jsonl"))  # noqa: E731
    until(lambda: steps(1) and steps(2))  # from now on signals are handled
    path = folder(tmp_path)
    attempts = [json.loads(line) for line in (path / "attempts.jsonl").open()]
    pid_of = {line["member"]: line["began"] for line in attempts}
    os.kill(job_of(pid_of["seed=1"]), signal.SIGUSR2)
    os.kill(job_of(pid_of["seed=2"]), signal.SIGKILL)
    said, _ = first.communicate(timeout=240)
    assert first.returncode == 1 and "stopped waiting" in said and "1 of 2 done" in said, said
    assert status(path / "seed=2") == "interrupted", "saved when its job was killed"
    second = start(f"sweep.resume={path}", "hydra/launcher=submitit_local")
    said, _ = second.communicate(timeout=240)
    assert second.returncode == 0 and "2, 1 done before" in said and "2 of 2 done" in said, said
    for seed in (1, 2):
        assert (path / "logs" / f"seed={seed}.log").read_text().count("\nstopped by ") == 1
    alone = train(*arguments, "seed=2").path
    assert (alone / "metrics.jsonl").read_text() == (path / "seed=2/metrics.jsonl").read_text()


def test_mistakes(mistake, train):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    common = ("-m", "model=mlp", "seed=1,2")
    local = (*common, "hydra/launcher=submitit_local")
    assert "a search runs on one machine" in mistake(*local, "sweep.method=tpe")
    assert "a search runs on one machine" in mistake(*local, "sweep.prune=median")
    assert "sweep.slots=2 shares out this machine" in mistake(*local, "sweep.slots=2")
    assert "sweep.on_failure=stop" in mistake(*local, "sweep.on_failure=stop")
    assert "tasks_per_node=2: each task would train" in mistake(
        *local, "hydra.launcher.tasks_per_node=2"
    )
    assert "did you mean 'hydra.launcher.timeout_min'?" in mistake(
        *local, "hydra.launcher.timeout_mins=2"
    )


def test_a_launcher_that_does_not_start_leaves_nothing(train, monkeypatch):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    monkeypatch.setenv("PATH", "")
    failed = train("-m", *TINY, "seed=1,2", "hydra/launcher=submitit_slurm")
    assert failed.code == 2 and "hydra/launcher=submitit_slurm: Could not detect" in failed.err
    assert not list(train.outputs.rglob("*"))


def test_without_m(mistake):
    assert "'hydra/launcher=joblib' is for sweeps; add -m" in mistake("hydra/launcher=joblib")


def test_a_launcher_that_is_not_installed():
    from hydra.errors import MissingConfigException

    from zoo.config.compose import explain

    error = MissingConfigException("", "hydra/launcher/submitit_slurm", ["basic"])
    assert explain(error).endswith("needs a package: pip install --editable '.[submitit]'")
