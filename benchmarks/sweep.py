"""Sweeps compared with Hydra's launchers, and TPE search with pruning with a grid."""

import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.interleave import ROOT, format_ratio, python_process, run_interleaved

GRID = (
    "optim.lr=5e-4,1.5e-3,5e-3", "model.width=64,128,256", "model.depth=1,2,3",
    "model.dropout=0,0.25,0.5", "optim.weight_decay=1e-3,1e-2,1e-1",
)  # fmt: skip
RANGES = (
    "optim.lr=tag(log,interval(5e-4,5e-3))", "model.width=tag(log,int(interval(64,256)))",
    "model.depth=range(1,4)", "model.dropout=interval(0,0.5)",
    "optim.weight_decay=tag(log,interval(1e-3,1e-1))",
)  # fmt: skip
STUDIES = 5


def sweep(rounds: int, epochs: int) -> None:
    """Seconds for twelve runs of a small network: Hydra's launchers, and Zoo's sweeper."""
    grid = ["train.py", "-m", "experiment=mlp_rain", f"trainer.max_epochs={epochs}"]
    grid += ["seed=range(12)", f"output_dir={tempfile.mkdtemp()}"]
    cases = {"Hydra's basic launcher": python_process(*grid, "hydra/sweeper=basic")}
    if importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher"):
        joblib = ("hydra/sweeper=basic", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
        cases["joblib, two workers"] = python_process(*grid, *joblib)
    cases["zoo"] = python_process(*grid)
    seconds = run_interleaved(cases, rounds, "s")
    if "joblib, two workers" in seconds:
        print(f"zoo / joblib {format_ratio(seconds['zoo'], seconds['joblib, two workers'], 3)}")


def search(epochs: int) -> None:
    """Training steps until a study's best validation accuracy is that of the whole grid.

    TPE with successive halving on mlp_digits; five studies, as fractions of the grid's steps.
    """
    common = ["experiment=mlp_digits", f"trainer.max_epochs={epochs}", "trainer.eval_epochs=2"]
    grid = run_sweep([*common, *GRID])
    steps, goal = grid[-1][0], max(accuracy for _, accuracy in grid)
    print(f"grid: {len(grid)} runs, {steps:,} steps, best validation accuracy {goal:.4f}")
    tpe = ["sweep.method=tpe", "sweep.prune=halving", f"sweep.trials={len(grid) // 2}", *RANGES]
    fractions = []
    for seed in range(STUDIES):
        trials = run_sweep([*common, *tpe, f"sweep.seed={seed}"])
        total = trials[-1][0]
        reached = next((spent for spent, accuracy in trials if accuracy >= goal), None)
        fractions.append((reached or total) / steps)
        best = max(accuracy for _, accuracy in trials)
        outcome = f"reached after {fractions[-1]:.3f}" if reached else f"NOT reached: {best:.4f} in"
        print(
            f"study {seed}: {len(trials)} trials, {total / steps:.3f} of the grid's steps; "
            f"{outcome} of them",
            flush=True,
        )
    mean, deviation = statistics.mean(fractions), statistics.stdev(fractions)
    print(f"mean {mean:.3f}, standard deviation {deviation:.3f}")


def run_sweep(overrides: list[str]) -> list[tuple[int, float]]:
    """For each trial in the order of their ends: steps spent so far, its validation accuracy."""
    folder = Path(tempfile.mkdtemp())
    command = [sys.executable, "train.py", "-m", *overrides, f"output_dir={folder}"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    files = sorted(folder.rglob("result.json"), key=lambda file: file.stat().st_mtime)
    spent, trials = 0, []
    for result in (json.loads(file.read_text()) for file in files):
        spent += result["steps"]
        trials.append((spent, (result["best"] or {"accuracy": 0.0})["accuracy"]))
    return trials
