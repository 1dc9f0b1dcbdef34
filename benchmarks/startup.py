"""Startup time: `train.py --help` and the first training step, in units of importing torch."""

import statistics
import tempfile

from benchmarks.interleave import format_ratio, python_process, run_interleaved

IMPORT, HELP = "import torch", "train.py --help"
ONE_STEP, FIRST_STEP = "import torch + one optimizer step", "train.py up to its first step"
MAX_HELP, MAX_FIRST_STEP = 0.30, 1.00  # the targets of both ratios
TORCH_STEP = """
import torch
from torch import nn
model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = torch.optim.AdamW(model.parameters())
loss = nn.functional.cross_entropy(model(torch.randn(64, 64)), torch.randint(0, 10, (64,)))
loss.backward()
optimizer.step()
"""
ZOO_STEP = """
import os, sys
from zoo.commands import train
import zoo.build
from zoo.training.trainer import Trainer
train_step = Trainer.train_step
def step_and_exit(self, batches):
    train_step(self, batches)
    os._exit(0)
Trainer.train_step = step_and_exit
train.main(sys.argv[1:])
"""
SETTINGS = ("model=mlp", "data=digits", "trainer.max_steps=1", "trainer.precision=fp32")


def startup(rounds: int) -> None:
    """Seconds of whole processes, file caches warm; both ratios and their targets."""
    folder = tempfile.mkdtemp()
    settings = [*SETTINGS, f"output_dir={folder}", f"data.root={folder}"]
    cases = {
        IMPORT: python_process("-c", "import torch"),
        HELP: python_process("train.py", "--help"),
        ONE_STEP: python_process("-c", TORCH_STEP),
        FIRST_STEP: python_process("-c", ZOO_STEP, *settings),
    }
    seconds = run_interleaved(cases, rounds, "s")
    print_target("--help / import torch", seconds[HELP], seconds[IMPORT], MAX_HELP)
    label = "first step / (import torch + one optimizer step)"
    print_target(label, seconds[FIRST_STEP], seconds[ONE_STEP], MAX_FIRST_STEP)


def print_target(label: str, values: list[float], baseline: list[float], most: float) -> None:
    """A ratio, and whether its median keeps to the target."""
    median = statistics.median(a / b for a, b in zip(values, baseline))
    outcome = "met" if median <= most else "MISSED"
    print(f"{label} {format_ratio(values, baseline)}; target at most {most:.2f}: {outcome}")
