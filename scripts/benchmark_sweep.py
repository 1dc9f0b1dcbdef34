"""Sweeps against Hydra's launchers, and a search against a grid; see scripts/benchmark.py."""

import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmark_race import ROOT, paired, process, race

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
    """Twelve runs of a small network: Hydra's launchers, and ours with as many at a time."""
    place = f"output_dir={tempfile.mkdtemp()}"
    grid = ["train.py", "-m", "experiment=mlp_rain", f"trainer.max_epochs={epochs}"]
    grid += ["seed=range(12)", place]
    cases = {"Hydra's basic launcher": process(*grid, "hydra/sweeper=basic")}
    if importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher"):
        joblib = ("hydra/sweeper=basic", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
        cases["joblib, two workers"] = process(*grid, *joblib)
    figures = race(cases | {"zoo": process(*grid)}, rounds, "s")
    if len(figures) > 2:
        ratio, low, high = paired(*(list(figures.values())[k] for k in (2, 1)))
        print(f"zoo / joblib {ratio:.3f} [{low:.3f} to {high:.3f}]")


def search(epochs: int) -> None:
    """TPE with halving on mlp_digits, five studies: the grid's training steps that each needs
    until its best validation accuracy is the grid's."""
    common = ["experiment=mlp_digits", f"trainer.max_epochs={epochs}", "trainer.eval_epochs=2"]
    whole = history([*common, *GRID])
    steps, goal = whole[-1][0], max(value for _, value in whole)
    print(f"grid: {len(whole)} runs, {steps:,} steps, best validation accuracy {goal:.4f}")
    tpe = ["sweep.method=tpe", "sweep.prune=halving", f"sweep.trials={len(whole) // 2}", *RANGES]
    shares = []
    for seed in range(STUDIES):
        found = history([*common, *tpe, f"sweep.seed={seed}"])
        reached = next((spent for spent, value in found if value >= goal), None)
        shares.append((reached or found[-1][0]) / steps)
        best = max(value for _, value in found)
        outcome = f"reached after {shares[-1]:.3f}" if reached else f"NOT reached: {best:.4f} in"
        print(
            f"study {seed}: {len(found)} members, {found[-1][0] / steps:.3f} of the grid's steps; "
            f"{outcome} of them",
            flush=True,
        )
    print(f"mean {statistics.mean(shares):.3f}, deviation {statistics.stdev(shares):.3f}")


def history(overrides: list[str]) -> list[tuple[int, float]]:
    """Steps spent by all so far, and the best validation, after each member of a sweep."""
    folder = Path(tempfile.mkdtemp())
    command = [sys.executable, "train.py", "-m", *overrides, f"output_dir={folder}"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    files = sorted(folder.rglob("result.json"), key=lambda file: file.stat().st_mtime)
    spent, rows = 0, []
    for result in (json.loads(file.read_text()) for file in files):
        spent += result["steps"]
        rows.append((spent, (result["best"] or {"accuracy": 0.0})["accuracy"]))
    return rows
