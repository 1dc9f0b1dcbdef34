"""What `trainer.precision=auto` chooses for each experiment, beside the time that steps take.

The rule (zoo/training/precision.py) uses no clock; this does, to show how often the two agree.
Times are processor seconds of whole training steps in bf16 and fp32, interleaved.
"""

import contextlib
import io
import statistics
import tempfile
import time
from dataclasses import dataclass

import torch

from zoo import build
from zoo.batch import Batch
from zoo.config import compose
from zoo.config.groups import experiments
from zoo.errors import UserError
from zoo.training.precision import Precision, choose_precision
from zoo.training.products import Products
from zoo.training.runtime import Runtime
from zoo.training.trainer import Trainer

WORTH = 0.83  # of fp32's time: above, bf16 is not worth its digits
MEASURED = 0.05  # seconds of one measurement at least: of many steps, where they are short
SECONDS = 6.0  # of an experiment, after which three rounds are enough
CPU = torch.device("cpu")


@dataclass
class Row:
    """An experiment: its matrix products, the rule's choice, and bf16's part of fp32's time."""

    name: str
    products: Products
    chosen: str
    ratio: float
    low: float
    high: float

    @property
    def faster(self) -> str:
        """The format that the clock would have chosen."""
        return "bf16" if self.ratio <= WORTH else "fp32"

    def cells(self) -> list[str]:
        """The row of the table."""
        agree = "yes" if self.chosen == self.faster else "no"
        size, share = f"{self.products.size / 1e6:.3g}", f"{self.products.share:.3g}"
        time = f"{self.ratio:.2f} [{self.low:.2f} to {self.high:.2f}]"
        return [f"`{self.name}`", size, share, self.chosen, time, agree]


def precision(rounds: int, threads: int, overrides: list[str]) -> None:
    """The table, in Markdown: of every experiment whose data are here, or of experiment=..."""
    torch.set_num_threads(threads)
    chosen = [o.partition("=")[2] for o in overrides if o.startswith("experiment=")]
    rest = [o for o in overrides if not o.startswith("experiment=")]
    heading = ("experiment", "MFLOP", "FLOP a number", "rule", "time of bf16", "agree")
    print(f"| {' | '.join(heading)} |\n|---|---:|---:|---|---|---|")
    rows, skipped = [], []
    for name in chosen or experiments():
        try:
            rows.append(measure(name, rest, rounds))
        except UserError as error:
            skipped.append(f"{name}: {error}")
            continue
        print(f"| {' | '.join(rows[-1].cells())} |", flush=True)
    agreed = sum(row.chosen == row.faster for row in rows)
    processor = torch.cpu.get_capabilities().get("cpu_name", "")
    print(f"\nRule and clock agree on {agreed} of {len(rows)} ({processor}, {threads} threads).")
    for line in skipped:
        print(f"not measured: {line}")


def measure(name: str, overrides: list[str], rounds: int) -> Row:
    """One experiment.

    Raises:
        UserError: Its data or weights are not here.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        common = [f"output_dir={folder}", "trainer.device=cpu", "trainer.precision=fp32"]
        config = compose.load([f"experiment={name}", *common, *overrides])
        dataset, runtime = build.build_dataset(config.data), Runtime(CPU)
        dry_run, _ = build.build_dry_run(config, dataset, runtime, None, None)
        products = dry_run.count()
        chosen, _ = choose_precision("auto", runtime, lambda: products)
        trainer = build.build_trainer(config, dataset, runtime)
        batch = next(trainer.loader.training(0, 1))
        ratios = time_ratios(trainer, batch, rounds)
    return Row(name, products, chosen, statistics.median(ratios), min(ratios), max(ratios))


def time_ratios(trainer: Trainer, batch: list[Batch], rounds: int) -> list[float]:
    """Processor seconds of steps in bf16 by those in fp32, of each round."""
    trainer.model.train()

    def seconds(name: str, steps: int) -> float:
        trainer.precision, start = Precision(name, CPU), time.process_time()
        for _ in range(steps):
            trainer.train_step(batch)
        return (time.process_time() - start) / steps

    for name in ("bf16", "fp32", "bf16"):  # to warm up
        slowest = seconds(name, 2)
    steps = max(1, int(MEASURED / slowest))
    ratios: list[float] = []
    start = time.perf_counter()
    while len(ratios) < rounds and (len(ratios) < 3 or time.perf_counter() < start + SECONDS):
        order = ("fp32", "bf16") if len(ratios) % 2 else ("bf16", "fp32")
        taken = {name: seconds(name, steps) for name in order}
        ratios.append(taken["bf16"] / taken["fp32"])
    return ratios
