"""Speed beside named alternatives, in one interleaved run: ratios, since machines are noisy.

    python scripts/benchmark.py trainer    steps per second: a bare loop, Zoo, Lightning
    python scripts/benchmark.py startup    seconds: import torch, --help, first training step
    python scripts/benchmark.py generation tokens per second: Hugging Face's GPT-2, Zoo's
    python scripts/benchmark.py gpt        the same, training, in fp32 and bf16
    python scripts/benchmark.py bert       likewise, BERT
    python scripts/benchmark.py lora       likewise, LoRA on GPT-2: PEFT, Zoo; peak memory
    python scripts/benchmark.py resnet     images per second: Hugging Face's ResNet-18, Zoo's
    python scripts/benchmark.py sweep      seconds for 12 small runs: Hydra's launchers, Zoo's
    python scripts/benchmark.py search     training steps to the best of a grid: TPE with pruning
    python scripts/benchmark.py word2vec   words per second and held-out loss: gensim, Zoo

Lightning, Hugging Face's models and gensim are measured where they are installed (`pip install
lightning transformers peft gensim hydra-joblib-launcher`); Zoo does not depend on them.
Options: rounds=7 epochs=100 threads=2.
"""

import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmark_race import paired, process, race  # noqa: E402

from zoo.commands.arguments import options  # noqa: E402
from zoo.errors import UserError, report, unknown  # noqa: E402

BATCH = 64


def trainer(rounds: int, epochs: int, threads: int) -> None:
    """Digits by a 64-128-10 MLP, batch 64: overhead is all there is."""
    import torch

    torch.set_num_threads(threads)

    from zoo import build
    from zoo.config import compose
    from zoo.training.runtime import Runtime

    folder = tempfile.mkdtemp()
    settings = compose.load(
        ["model=mlp", "model.depth=1", "data=digits", "schedule=constant", "trainer.precision=fp32"]
        + [f"trainer.max_epochs={epochs}", f"trainer.eval_epochs={epochs}"]
        + [f"data.batch_size={BATCH}", f"output_dir={folder}", f"data.root={folder}"]
    )
    dataset = build.build_dataset(settings["data"])
    batch = dataset.encoding.prepare(dataset.splits["train"].columns)
    steps = build.build_trainer(
        settings, build.trainer_config(settings), dataset, Runtime(torch.device("cpu"))
    ).plan.max_steps

    def zoo() -> float:
        with contextlib.redirect_stdout(io.StringIO()):
            run = build.build_trainer(
                settings, build.trainer_config(settings), dataset, Runtime(torch.device("cpu"))
            )
            start = time.perf_counter()
            run.fit()
            return steps / (time.perf_counter() - start)

    cases = {
        "bare in-memory loop, fused AdamW": lambda: bare(batch["input"], batch["target"], steps),
        "zoo (TensorBoard, checkpoints)": zoo,
    }
    with contextlib.suppress(ImportError):
        cases["lightning (its defaults)"] = lightning(batch["input"], batch["target"], epochs)
    print(f"{steps} steps of {BATCH} samples, {torch.get_num_threads()} threads, {rounds} rounds")
    figures = race(cases, rounds, "steps/s")
    if len(figures) > 2:
        ratio, low, high = paired(*(list(figures.values())[k] for k in (1, 2)))
        print(f"zoo / lightning {ratio:.2f} [{low:.2f} to {high:.2f}]")


def bare(inputs: Any, targets: Any, steps: int) -> float:
    """The ceiling: nothing but batches, forward, backward, fused AdamW; steps per second."""
    import torch
    from torch import nn

    inputs = inputs.flatten(1)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    start, done = time.perf_counter(), 0
    while done < steps:
        order = torch.randperm(len(inputs))
        x, y = inputs[order], targets[order]
        for xb, yb in zip(x.split(BATCH), y.split(BATCH)):
            loss = nn.functional.cross_entropy(model(xb), yb)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            done += 1
    return done / (time.perf_counter() - start)


def lightning(inputs: Any, targets: Any, epochs: int) -> Callable[[], float]:
    """Lightning's trainer as its documentation sets it up: logger, bar and checkpoints on."""
    import logging
    import warnings

    import lightning as L
    import torch
    from torch import nn

    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    data = torch.utils.data.TensorDataset(inputs.flatten(1), targets)

    class Module(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))

        def training_step(self, batch: Any, index: int) -> Any:
            loss = nn.functional.cross_entropy(self.model(batch[0]), batch[1])
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
        clock = Clock()
        loader = torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True)
        quiet = contextlib.redirect_stdout(io.StringIO())
        with quiet, contextlib.redirect_stderr(io.StringIO()):
            run = L.Trainer(
                max_epochs=epochs,
                accelerator="cpu",
                default_root_dir=tempfile.mkdtemp(),
                callbacks=[clock],
            )
            run.fit(Module(), loader)
        return run.global_step / (clock.end - clock.start)

    return case


FIRST_STEP = """
import torch
from torch import nn
model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = torch.optim.AdamW(model.parameters())
loss = nn.functional.cross_entropy(model(torch.randn(64, 64)), torch.randint(0, 10, (64,)))
loss.backward()
optimizer.step()
"""
ONE_STEP = ("model=mlp", "data=digits", "trainer.max_steps=1", "trainer.precision=fp32")


def startup(rounds: int) -> None:
    """Whole processes, file caches warm."""
    folder = tempfile.mkdtemp()
    train = [*ONE_STEP, f"output_dir={folder}", f"data.root={folder}"]
    figures = race(
        {
            "import torch": process("-c", "import torch"),
            "train.py --help": process("train.py", "--help"),
            "import torch + one optimizer step": process("-c", FIRST_STEP),
            "train.py up to its first step": process("-c", UNTIL_FIRST_STEP, *train),
        },
        rounds,
        "s",
    )
    ratio, low, high = paired(*(list(figures.values())[k] for k in (3, 2)))
    print(f"first step / (import torch + one optimizer step) {ratio:.2f} [{low:.2f} to {high:.2f}]")


UNTIL_FIRST_STEP = """
import os, sys
from zoo.commands import train as cli
import zoo.build
from zoo.training.trainer import Trainer
step = Trainer.train_step
def first(self, batches):
    step(self, batches)
    os._exit(0)
Trainer.train_step = first
cli.train(sys.argv[1:])
"""


def language(name: str, rounds: int, threads: int) -> None:
    """A benchmark of language models, by name."""
    import benchmark_language

    getattr(benchmark_language, name)(rounds, threads)


def adapters(name: str, rounds: int, threads: int) -> None:
    """A benchmark of adapters and of ResNet, by name."""
    import benchmark_adapters

    getattr(benchmark_adapters, name)(rounds, threads)


def sweeps(name: str, *arguments: int) -> None:
    """A benchmark of sweeps, by name."""
    import benchmark_sweep

    getattr(benchmark_sweep, name)(*arguments)


def word2vec(rounds: int, threads: int) -> None:
    """Skip-gram vectors, beside gensim's."""
    import benchmark_word2vec

    benchmark_word2vec.word2vec(rounds, threads)


def main(argv: list[str]) -> int:
    """Parse and run."""
    what = [a for a in argv if "=" not in a and not a.startswith("-")]
    rest = [a for a in argv if a not in what]
    values, _ = options(rest, __doc__ or "", rounds="7", epochs="100", threads="2")
    rounds, threads = int(values["rounds"]), int(values["threads"])
    work = {
        "trainer": lambda: trainer(rounds, int(values["epochs"]), threads),
        "startup": lambda: startup(rounds),
        "generation": lambda: language("generation", rounds, threads),
        "gpt": lambda: language("gpt", rounds, threads),
        "bert": lambda: language("bert", rounds, threads),
        "lora": lambda: adapters("lora", rounds, threads),
        "sweep": lambda: sweeps("sweep", rounds, int(values["epochs"])),
        "search": lambda: sweeps("search", int(values["epochs"])),
        "resnet": lambda: adapters("resnet", rounds, threads),
        "word2vec": lambda: word2vec(rounds, threads),
    }
    if not what or what[0] not in work:
        raise UserError(unknown("benchmark", what[0] if what else "", work))
    work[what[0]]()
    return 0


if __name__ == "__main__":
    sys.exit(report(lambda: main(sys.argv[1:])))
