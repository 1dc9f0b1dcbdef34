"""Sweeps: trials equal single runs, failures do not spread, what was stopped resumes."""

import json
import math
import os
import random
import re
import signal
import sys
import time

import forked
import killed
from support import write_run

from zoo.registry import MODELS
from zoo.sweep import pool
from zoo.sweep.controller import Sweep
from zoo.sweep.options import SweepOptions
from zoo.sweep.progress import SweepProgress
from zoo.sweep.store import SweepState
from zoo.sweep.trials import Trial

TINY = (
    "experiment=mlp_rain", "trainer.max_steps=4", "trainer.eval_steps=2", "trainer.device=cpu",
    "trainer.precision=fp32",
)  # fmt: skip


def metrics(run):
    return (run / "metrics.jsonl").read_text()


def status(run):
    return json.loads((run / "result.json").read_text())["status"]


def until(condition, seconds=120):
    for _ in range(50 * seconds):
        if condition():
            return
        time.sleep(0.02)
    raise TimeoutError


def test_every_combination_has_a_folder_named_after_it(sweep):
    code, said = sweep(*TINY, "model.width=4,8", "optim.lr=0.1,0.01", "seed=1")
    assert code == 0, said
    names = {"width=4,lr=0.1", "width=4,lr=0.01", "width=8,lr=0.1", "width=8,lr=0.01"}
    assert {p.parent.name for p in sweep.folder().glob("*/result.json")} == names
    assert "4 of 4 done" in said and said.count("\ndone ") == 4
    table = (sweep.folder() / "table.txt").read_text()
    rows = [line.split() for line in table.splitlines()]
    assert rows[0] == ["width", "lr", "val/accuracy", "time"]
    assert {f"width={row[1]},lr={row[2]}" for row in rows[1:]} == names
    assert all(" ".join(row[1:3]) in " ".join(said.split()) for row in rows)
    scores = [float(row[3]) for row in rows[1:]]
    assert scores == sorted(scores, reverse=True), "best first"


def test_trials_equal_single_runs_bit_for_bit(sweep, train):
    code, said = sweep(*TINY, "seed=1,2")
    assert code == 0, said
    for seed in (1, 2):
        single = train(*TINY, f"seed={seed}").path
        trial = sweep.folder() / f"seed={seed}"
        assert metrics(single) == metrics(trial)
        for name in ("last", "best"):
            weights = [
                next((run / "checkpoints").glob(f"{name}-*/model.safetensors")).read_bytes()
                for run in (single, trial)
            ]
            assert weights[0] == weights[1]


def impatient(argv):
    """`train.py` that waits for a second where it would wait for half a minute."""
    pool.GRACE_SECONDS = 1.0
    return killed.train(argv)


def test_a_failed_trial_does_not_affect_the_others(sweep, train, monkeypatch):
    MODELS.names()  # loads them
    monkeypatch.setattr(MODELS, "_entries", dict(MODELS._entries))
    monkeypatch.delitem(sys.modules, "misbehaves", raising=False)
    common = (*TINY, "model.name=bad", "plugins=[misbehaves]")
    widths = "model.width=10,11,12,13,14,15,16,17"
    limit = "sweep.trial_minutes=0.15"
    code, said = sweep(*common, widths, limit, main=impatient)
    assert code == 1, said
    path = sweep.folder()
    done = {p.parent.name for p in path.glob("*/result.json") if status(p.parent) == "done"}
    assert done == {"width=10", "width=17"}
    failed = dict(re.findall(r"^FAILED  (width=\d+): (.*)$", said, re.MULTILINE))
    assert "a layer that does not fit" in failed["width=11"]
    assert "not finite" in failed["width=12"] or "nan" in failed["width=12"].lower()
    assert "memory" in failed["width=13"].lower() or "alloc" in failed["width=13"].lower()
    assert failed["width=14"] == "ended by SIGSEGV" and failed["width=15"] == "ended by SIGKILL"
    assert failed["width=16"] == "took longer than sweep.trial_minutes=0.15"
    assert "2 of 8 done" in said and ", 6 failed" in said
    single = train(*common, "model.width=17").path
    assert metrics(single) == metrics(path / "width=17")


def test_on_failure_stop_starts_no_more_trials(sweep):
    options = ("sweep.on_failure=stop", "sweep.slots=1")
    code, said = sweep(*TINY, "optim.lr=0.01,1e30,0.02,0.03", "optim=sgd", *options)
    assert code == 1 and "resume    python train.py -m sweep.resume=" in said
    assert [p.parent.name for p in sweep.folder().glob("*/checkpoints")].count("lr=0.03") == 0


def test_a_failed_trial_is_retried(sweep):
    code, said = sweep(*TINY, "optim=sgd", "optim.lr=1e30,0.01", "sweep.retries=2")
    assert code == 1 and said.count("\nretry   lr=1e+30") == 2, said
    lines = [json.loads(line) for line in (sweep.folder() / "attempts.jsonl").open()]
    assert [line["member"] for line in lines if "began" in line].count("lr=1e+30") == 3


def saved_steps(outputs):
    """The newest checkpoints' steps, of all trials together."""
    steps = {}
    for path in outputs.glob("*/*/*/checkpoints/last-*"):
        trial, number = path.parents[1], path.name.removeprefix("last-")
        steps[trial] = max(steps.get(trial, 0), int(number) if number.isdigit() else 0)
    return sum(steps.values())


def test_a_sweep_killed_repeatedly_loses_and_repeats_nothing(sweep, train, tmp_path):
    """At any moment: finished trials stay as they are, unfinished ones resume."""
    trials = ("seed=1,2,3", "trainer.max_steps=60", "trainer.save_steps=1", "model.width=6")
    output = (f"output_dir={sweep.outputs}",)
    rng = random.Random(0)
    arguments = ["-m", *TINY, *trials, "trainer.device=cpu", *output]
    finished = lambda: list(sweep.outputs.glob("*/*/*/result.json"))  # noqa: E731
    for kill, steps in enumerate([0, 9, 4, None]):  # of 180; and when a trial has finished
        process = forked.start(tmp_path / f"kill{kill}", killed.train, arguments)
        wanted = saved_steps(sweep.outputs) + (steps or 0)
        reached = lambda: saved_steps(sweep.outputs) >= wanted  # noqa: B023, E731
        until(finished if steps is None else reached)
        time.sleep(rng.uniform(0, 0.02))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        if list(sweep.outputs.glob("*/*/sweep.json")):  # or killed before it started
            arguments = ["-m", f"sweep.resume={sweep.folder()}"]
    done = {path: path.stat().st_mtime_ns for path in finished()}
    code, said = sweep(f"sweep.resume={sweep.folder()}")
    assert code == 0 and "3 of 3 done" in said, said
    attempts = [json.loads(line) for line in (sweep.folder() / "attempts.jsonl").open()]
    assert [line["member"] for line in attempts].count("seed=1") > 1
    single = train(*TINY, *trials[1:], "seed=2").path
    assert metrics(single) == metrics(sweep.folder() / "seed=2")
    before = {path: path.stat().st_mtime_ns for path in finished()}
    assert len(done) > 0 and done.items() < before.items(), "those that were finished stay"
    code, said = sweep(f"sweep.resume={sweep.folder()}")
    assert code == 0 and "3, 3 done before" in said
    assert before == {path: path.stat().st_mtime_ns for path in finished()}


def test_a_signal_interrupts_it(sweep, tmp_path):
    trials = ("seed=1,2", "trainer.max_steps=20000", "trainer.eval_steps=20000")
    log = tmp_path / "log"
    process = forked.start(log, killed.train, ["-m", *TINY, *trials, f"output_dir={sweep.outputs}"])
    until(lambda: list(sweep.outputs.glob("*/*/seed=1/metrics.jsonl")))
    os.kill(process.pid, signal.SIGINT)
    until(lambda: "stopping" in log.read_text())
    os.kill(process.pid, signal.SIGINT)  # a second one changes nothing
    assert forked.finish(process) == 130
    said = log.read_text()
    assert "Traceback" not in said, said
    assert "\nCtrl-C: stopping; the running trials save what is done\n" in said
    assert "\nstopped seed=1  saved\n" in said
    assert "resume    python train.py -m sweep.resume=" in said
    assert status(sweep.folder() / "seed=1") == "interrupted"


def test_each_ctrl_c_is_answered_once():
    class Progress:
        said = []

        def stopping(self, number, again):
            self.said.append((number, again))

    sweep = object.__new__(Sweep)
    sweep.received, sweep.unanswered, sweep.progress = None, [], Progress()
    sweep.monitored_at = math.inf
    sweep._monitor([])
    for _ in range(2):
        sweep._on_signal(signal.SIGINT, None)
        sweep._monitor([])
        sweep._monitor([])
    assert Progress.said == [(signal.SIGINT, False), (signal.SIGINT, True)]


def trials_on(folder, *datasets):
    """A sweep of finished trials, two seeds for each dataset."""
    (folder / "logs").mkdir()
    trials = []
    for data, monitor, scores in datasets:
        for seed, score in enumerate(scores):
            name = f"data={data},seed={seed}"
            row = {monitor.lstrip("-"): score}
            more = {"data__name": data, "seed": seed, "result": {"monitor": monitor}}
            run = write_run(folder / name, row, **more)
            (run / "dataset.json").write_text(json.dumps({"monitor": monitor}))
            with (run / "metrics.jsonl").open("a") as file:
                file.write(json.dumps({"step": 1, "split": "val"} | row) + "\n")
            trials.append(Trial(name, (f"data={data}", f"seed={seed}")))
    state = SweepState(folder, trials, "python train.py -m ...")
    state.write()
    return state


MIXED = (("rain", "accuracy", (0.7, 0.9)), ("iris", "accuracy", (0.8, 0.6)),
         ("diabetes", "-loss", (0.5, 0.4)))  # fmt: skip


def test_what_cannot_be_compared_is_ranked_by_itself(tmp_path):
    SweepProgress(trials_on(tmp_path, *MIXED), "here").close(stopped=False)
    rows = [line.split() for line in (tmp_path / "table.txt").read_text().splitlines()[1:]]
    assert [row[:5] for row in rows] == [
        ["1", "rain", "1", "val/accuracy", "0.9000"], ["2", "rain", "0", "val/accuracy", "0.7000"],
        ["1", "iris", "0", "val/accuracy", "0.8000"], ["2", "iris", "1", "val/accuracy", "0.6000"],
        ["1", "diabetes", "1", "val/loss", "0.4000"], ["2", "diabetes", "0", "val/loss", "0.5000"],
    ]  # fmt: skip


def test_a_trial_is_pruned_by_those_of_its_metric_and_data(tmp_path):
    state = trials_on(tmp_path, *MIXED)
    sweep = Sweep(state, {}, SweepOptions(prune="median"), None, [])
    for curve in sweep.curves.values():
        curve.update()
    assert sweep._rivals(state.trials[1]) == [[0.7]]
    assert sweep._rivals(state.trials[4]) == [[-0.4]]


def test_a_sweep_is_run_by_one_process_at_a_time(sweep, tmp_path):
    trials = ("seed=1,2", "trainer.max_steps=20000", "trainer.eval_steps=20000")
    arguments = ["-m", *TINY, *trials, f"output_dir={sweep.outputs}"]
    first = forked.start(tmp_path / "first", killed.train, arguments)
    until(lambda: list(sweep.outputs.glob("*/*/seed=1/metrics.jsonl")))
    code, said = sweep(f"sweep.resume={sweep.folder()}")
    assert code == 2 and "another process is running the sweep" in said
    os.kill(first.pid, signal.SIGTERM)
    assert forked.finish(first) == 143
