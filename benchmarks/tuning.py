"""Fine-tuning of one base in several ways on the same data: loss by step, and memory.

Each way is a run of train.py in a process of its own, whose peak memory the system reports.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.interleave import ROOT
from zoo.errors import UserError
from zoo.runs.directory import find_runs

WAYS = {
    "all weights": ("adapter=none", "optim.lr=1e-3"),
    "LoRA": ("adapter=lora",),
    "DoRA": ("adapter=lora", "adapter.dora=true"),
    "LoRA on int8": ("adapter=lora", "init.quantize=int8"),
    "LoRA on nf4": ("adapter=lora", "init.quantize=nf4"),
}
SETTINGS = (  # unless typed
    "optim.lr=1e-2", "optim.weight_decay=0", "schedule=wsd", "trainer.max_steps=60",
    "trainer.eval_steps=20", "trainer.precision=fp32", "trainer.device=cpu",
)  # fmt: skip
OPTIMIZER = 3  # a gradient and AdamW's two moments, each as large as a trained weight


@dataclass
class Outcome:
    """What one way took and gave.

    Attributes:
        losses: Of validation, by step.
        peak: The most memory that the process held, MB.
        weights: Of the model while training, MB.
        state: Gradients and moments of what is trained, MB.
        largest: Name and size, MB, of the largest tensor that the model holds.
    """

    losses: dict[int, float]
    peak: float
    weights: float
    state: float
    largest: tuple[str, float]

    def cells(self) -> list[str]:
        """The row of the table."""
        name, size = self.largest
        sizes = [f"{value:,.0f}" for value in (self.peak, self.weights, self.state)]
        return [*(f"{loss:.4f}" for loss in self.losses.values()), *sizes, f"`{name}` {size:,.1f}"]


def tuning(threads: int, base: str, overrides: list[str]) -> None:
    """The table, in Markdown.

    Args:
        threads: Of each process.
        base: For init.from.
        overrides: Settings of all runs: model, task and data.

    Raises:
        UserError: No base; a run that failed.
    """
    if not base:
        raise UserError("tuning needs base=<a run, or published weights>")
    words = [*SETTINGS, f"init.from={base}", *overrides]
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        # All before any is read: a process begins with the peak of the one that started it.
        places = {way: Path(folder) / str(k) for k, way in enumerate(WAYS)}
        peaks = {w: train([*words, *own], threads, places[w]) for w, own in WAYS.items()}
        for way, place in places.items():
            (run,) = find_runs(place)
            rows[way] = outcome_of(run, peaks[way])
    steps = next(iter(rows.values())).losses
    heads = [*(f"loss at {n}" for n in steps), "peak", "weights", "gradients, moments", "largest"]
    print(f"| | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
    for way, outcome in rows.items():
        print(f"| {way} | {' | '.join(outcome.cells())} |")


def train(words: list[str], threads: int, outputs: Path) -> float:
    """Train one way; the most memory that the process held, MB.

    Raises:
        UserError: The run failed.
    """
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "train.py"), *words, f"output_dir={outputs}"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise UserError(f"{' '.join(words)}: train.py ended with code {process.returncode}")
    return usage.ru_maxrss / 1e3


def outcome_of(run: Path, peak: float) -> Outcome:
    """What a run's files and model tell."""
    from zoo.restore import restore

    rows: list[dict[str, Any]] = [
        json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()
    ]
    losses = {row["step"]: row["loss"] for row in rows if row["split"] == "val"}
    model = restore(run, device="cpu").model
    tensors = model.state_dict(keep_vars=True)
    sizes = {t.data_ptr(): (t.nbytes / 1e6, n) for n, t in tensors.items()}
    trained = json.loads((run / "result.json").read_text())["trained"]
    size, name = max(sizes.values())
    weights = sum(size for size, _ in sizes.values())
    return Outcome(losses, peak, weights, OPTIMIZER * 4 * trained / 1e6, (name, size))
