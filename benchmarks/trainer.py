"""Training steps per second where overhead dominates: a bare loop, Zoo, Lightning.

Digits by a 64-128-10 MLP, batches of 64. Lightning is measured where it is installed.
"""

import contextlib
import io
import logging
import tempfile
import time
import warnings
from typing import Any

from benchmarks.interleave import Case, format_ratio, run_interleaved

BATCH_SIZE = 64


def trainer(rounds: int, epochs: int, threads: int) -> None:
    """Compare the three loops on the same samples and the same number of steps."""
    import torch

    torch.set_num_threads(threads)

    from zoo import build
    from zoo.config import compose
    from zoo.training.runtime import Runtime

    folder = tempfile.mkdtemp()
    config = compose.load(
        ["model=mlp", "model.depth=1", "data=digits", "schedule=constant", "trainer.precision=fp32"]
        + [f"trainer.max_epochs={epochs}", f"trainer.eval_epochs={epochs}"]
        + [f"data.batch_size={BATCH_SIZE}", f"output_dir={folder}", f"data.root={folder}"]
    )
    dataset: Any = build.build_dataset(config.data)

    def build_trainer() -> Any:
        return build.build_trainer(config, dataset, Runtime(torch.device("cpu")))

    def zoo() -> float:
        with contextlib.redirect_stdout(io.StringIO()):
            run = build_trainer()
            start = time.perf_counter()
            run.fit()
            return steps / (time.perf_counter() - start)

    steps = build_trainer().budget.max_steps
    batch = dataset.encoding.prepare(dataset.splits["train"].columns)
    inputs, targets = batch["input"].flatten(1), batch["target"]
    cases: dict[str, Case] = {
        "bare in-memory loop, fused AdamW": lambda: bare_loop(inputs, targets, steps),
        "zoo (TensorBoard, checkpoints)": zoo,
    }
    with contextlib.suppress(ImportError):
        cases["lightning (its defaults)"] = lightning(inputs, targets, epochs)
    print(
        f"{steps} steps of {BATCH_SIZE} samples, {torch.get_num_threads()} threads, {rounds} rounds"
    )
    _, zoo_rates, *lightning_rates = run_interleaved(cases, rounds, "steps/s").values()
    for rates in lightning_rates:
        print(f"zoo / lightning {format_ratio(zoo_rates, rates)}")


def mlp() -> Any:
    """The network, in plain torch."""
    from torch import nn

    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def bare_loop(inputs: Any, targets: Any, steps: int) -> float:
    """The ceiling: nothing but batches, forward, backward, fused AdamW; steps per second."""
    import torch
    import torch.nn.functional as F

    model = mlp()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    start, done = time.perf_counter(), 0
    while done < steps:
        order = torch.randperm(len(inputs))
        x, y = inputs[order], targets[order]
        for xb, yb in zip(x.split(BATCH_SIZE), y.split(BATCH_SIZE)):
            loss = F.cross_entropy(model(xb), yb)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            done += 1
    return done / (time.perf_counter() - start)


def lightning(inputs: Any, targets: Any, epochs: int) -> Case:
    """Lightning's trainer as its documentation sets it up: logger, bar and checkpoints on."""
    import lightning as L
    import torch
    import torch.nn.functional as F

    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    data = torch.utils.data.TensorDataset(inputs, targets)

    class Module(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = mlp()

        def training_step(self, batch: Any, index: int) -> Any:
            loss = F.cross_entropy(self.model(batch[0]), batch[1])
            self.log("loss", loss, prog_bar=True)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters())

    class Clock(L.Callback):
        def on_train_start(self, *_: Any) -> None:
            self.start = time.perf_counter()

        def on_train_end(self, *_: Any) -> None:
            self.end = time.perf_counter()

    def case() -> float:
        clock, quiet = Clock(), io.StringIO()
        loader = torch.utils.data.DataLoader(data, batch_size=BATCH_SIZE, shuffle=True)
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            folder = tempfile.mkdtemp()
            run = L.Trainer(
                max_epochs=epochs, accelerator="cpu", default_root_dir=folder, callbacks=[clock]
            )
            run.fit(Module(), loader)
        return run.global_step / (clock.end - clock.start)

    return case
